"""The log in the folder of a run: what the pipeline printed and logged, and how each well ended."""

import threading
import time
from pathlib import Path

from openhcs_runtime.results import ResultStatus, WellResult
from zmqruntime.execution.events.log_files import LogFile
from zmqruntime.execution.tasks.task import TaskReport
from zmqruntime.messages import LogLevel, LogLine

LOG_NAME = "run.log"
_LIMIT_BYTES = 64 * 1024 * 1024


class RunLog:
    """Appends to ``run.log`` in a run folder, from any thread; if the log gets too long, its latest part is kept."""

    def __init__(self, folder: Path) -> None:
        self._file = LogFile(folder / LOG_NAME, _LIMIT_BYTES)
        self._lock = threading.Lock()

    def add(self, report: TaskReport) -> None:
        """Write a log line of the task; progress is ignored."""
        if isinstance(report, LogLine):
            with self._lock:
                self._file.write([report])

    def note(self, text: str, well: str = "", level: LogLevel = LogLevel.INFO) -> None:
        """Write a line about the run itself."""
        self.add(
            LogLine(
                execution_id="",
                sequence=0,
                timestamp=time.time(),
                level=level,
                logger="run",
                text=text,
                axis_id=well,
            )
        )

    def note_well(self, result: WellResult) -> None:
        """Write how a well ended, with what its steps have cost, or the traceback if it failed."""
        if result.status is ResultStatus.COMPLETE:
            self.note(f"complete after {result.elapsed_s:.1f} s, {result.outputs} files", result.well)
            self.note("; ".join(f"{cost.step}: {cost}" for cost in result.steps), result.well)
            return
        step = f" in step {result.step}" if result.step else ""
        level = LogLevel.ERROR if result.status is ResultStatus.FAILED else LogLevel.WARNING
        self.note(f"{result.status}{step}: {result.error}".rstrip(": "), result.well, level)
        for line in result.traceback.splitlines():
            self.note(line, result.well, level)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
