"""A server of plates whose runs are made up, for the test and the bench of the page."""

import threading
from pathlib import Path
from typing import Any

from openhcs_runtime.components import well_name
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime import ExecuteRequest, ProgressPhase, ProgressStatus
from zmqruntime.execution import ExecutionServer, current_task

COLUMNS = 48
STEPS = ("Denoise", "Segment", "Measure")


def wells(count: int) -> list[str]:
    """The first wells of a plate with 1,536."""
    return [well_name(*divmod(number, COLUMNS)) for number in range(count)]


def report(well: str, step: int, phase: ProgressPhase, status: ProgressStatus, done: int = 0, error: str = "") -> None:
    """One update of a well."""
    current_task().report(
        axis_id=well,
        step_name=STEPS[step],
        step_index=step,
        total_steps=len(STEPS),
        phase=phase,
        status=status,
        completed=done,
        total=10,
        error=error or None,
    )


class PageServer(ExecutionServer):
    """Does what the payload's ``do`` names."""

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> Any:
        """Run one."""
        payload = dict(request.payload)
        return getattr(self, "do_" + payload.pop("do"))(**payload)

    def do_plate(self, count: int, failed: dict[str, str], go: str, result: Any) -> Any:
        """Start all wells, end some of them, and wait for a file before the others end."""
        known = wells(count)
        for well in known:
            report(well, 0, ProgressPhase.AXIS_STARTED, ProgressStatus.STARTED)
        for well, error in failed.items():
            report(well, 1, ProgressPhase.AXIS_COMPLETED, ProgressStatus.ERROR, error=error)
        self._say(Path(go))
        for well in known:
            if well not in failed:
                report(well, 2, ProgressPhase.AXIS_COMPLETED, ProgressStatus.COMPLETED, 10)
        return result

    def do_stream(self, count: int, rate: int, seconds: float) -> None:
        """Report so many times a second."""
        known, tick = wells(count), threading.Event()
        for well in known:
            report(well, 0, ProgressPhase.AXIS_STARTED, ProgressStatus.STARTED)
        for number in range(int(20 * seconds)):
            for each in range(rate // 20):
                place = number * (rate // 20) + each
                well, done = known[place % count], place // count
                step, groups = min(2, done // 10), done % 10
                report(well, step, ProgressPhase.PATTERN_GROUP, ProgressStatus.RUNNING, groups)
                if each % 10 == 0:
                    current_task().log.info("well %s has done %d groups", well, done)
            current_task().check_cancelled()
            tick.wait(0.05)

    def _say(self, go: Path) -> None:
        """Log a line at a time until a file is there."""
        tick, number = threading.Event(), 0
        while not go.exists():
            number += 1
            current_task().log.info("line %d <i>odd</i>", number)
            current_task().check_cancelled()
            tick.wait(0.1)


__all__ = ["OPENHCS_CONFIG", "PageServer", "wells"]
