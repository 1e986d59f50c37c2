"""Where tracked loops are shown: in the progress and the log of a task, or as a line on a terminal."""

import os
import time
from collections.abc import Collection
from typing import TextIO

from msgspec.structs import replace

from zmqruntime.execution.tasks.loops import REPORT_SECONDS, Place
from zmqruntime.execution.tasks.task import Task
from zmqruntime.execution.text import timing
from zmqruntime.messages import LogLevel, ProgressPhase, ProgressStatus, ProgressUpdate

__all__ = ["LineMeter", "TaskMeter"]

_LOGGED_SECONDS = 1.0
_LOG_EVERY_SECONDS = 60.0
_STEP_PHASES = (ProgressPhase.STEP_STARTED, ProgressPhase.PATTERN_GROUP)
_LINE_CHARACTERS = 79


_Shown = tuple[int, int | None, float, str, str]


class TaskMeter:
    """Reports a loop, and the loops inside of it, as the progress of an axis of a task.

    If the code around the loop reports progress itself, with all fields, the loop becomes the text of that progress.

    Args:
        task: The task to report to.
        name: Name of the loop, which becomes the axis.
    """

    def __init__(self, task: Task, name: str) -> None:
        self.asked: Collection[object] = task.cancel_requests
        self.due = 0.0
        self.axis = task.present_axis
        self._task = task
        self._name = name
        self._base: ProgressUpdate | None = None
        self._shown: _Shown | None = None
        self._began = self._logs_at = 0.0

    def check(self) -> None:
        """Raise ``TaskCancelled`` if the task or the axis was asked to stop."""
        self._task.check_cancelled(self.axis or None)

    def begin(self, place: Place) -> None:
        """Show the start, unless another loop was shown just before: it is only shown if it takes longer."""
        self._began = time.monotonic()
        self._logs_at = self._began + _LOG_EVERY_SECONDS
        self._base = self._task.latest_update()
        if self._base is None and not self.axis:
            self.axis = self._task.loops.axis_for(self._name)
        self.due = self._task.loops.reported_at + REPORT_SECONDS
        if self._began >= self.due:
            self.show(place)

    def show(self, place: Place) -> None:
        """Report the present place."""
        now = time.monotonic()
        self.due = now + REPORT_SECONDS
        self._task.loops.reported_at = now
        self._shown = _as_shown(place)
        update = self._update(place)
        if update is not None:
            self._task.send_progress(update)
        if now >= self._logs_at:
            self._logs_at = now + _LOG_EVERY_SECONDS
            self._log(place, now - self._began)

    def end(self, place: Place) -> None:
        """Report the last place, unless that was the latest report, and the duration if the loop took long."""
        elapsed = time.monotonic() - self._began
        is_due = self._shown is not None or elapsed >= REPORT_SECONDS
        if is_due and self._shown != _as_shown(place):
            self.show(place)
        if elapsed >= _LOGGED_SECONDS:
            self._log(place, elapsed)

    def _update(self, place: Place) -> ProgressUpdate | None:
        if self._base is not None:
            if self._base.phase not in _STEP_PHASES:
                return None
            return replace(
                self._base,
                phase=ProgressPhase.PATTERN_GROUP,
                status=ProgressStatus.RUNNING,
                timestamp=time.time(),
                message=", ".join(part for part in (place.words(), place.message()) if part),
            )
        total = place.total
        return ProgressUpdate(
            execution_id=self._task.execution_id,
            plate_id=self._task.plate_id,
            axis_id=self.axis,
            step_name=place.innermost().name or place.name,
            step_index=0,
            total_steps=1,
            phase=ProgressPhase.PATTERN_GROUP,
            status=ProgressStatus.RUNNING,
            completed=0 if total is None else place.done,
            total=total or 0,
            percent=100.0 * place.fraction(),
            timestamp=time.time(),
            message=place.message() or None,
            worker=os.getpid(),
        )

    def _log(self, place: Place, elapsed: float) -> None:
        self._task.send_line(LogLevel.INFO, "track", f"{place.words()} in {_timing(place, elapsed)}", self.axis)


class LineMeter:
    """Shows a loop as a line on a terminal that is redrawn.

    Args:
        stream: The terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self.axis = ""
        self.asked: Collection[object] = ()
        self.due = 0.0
        self._stream = stream
        self._began = time.monotonic()

    def check(self) -> None:
        """Do nothing: only a task can be asked to stop."""

    def begin(self, place: Place) -> None:
        """Draw the line."""
        self._began = time.monotonic()
        self.show(place)

    def show(self, place: Place) -> None:
        """Draw the line again."""
        now = time.monotonic()
        self.due = now + REPORT_SECONDS
        self._draw(f"{_share(place)}{place.words()}, {_timing(place, now - self._began)}")

    def end(self, place: Place) -> None:
        """Draw the line for the last time, and end it."""
        self.show(place)
        self._stream.write("\n")
        self._stream.flush()

    def _draw(self, text: str) -> None:
        self._stream.write(f"\r{text[:_LINE_CHARACTERS]:{_LINE_CHARACTERS}}")
        self._stream.flush()


def _as_shown(place: Place) -> _Shown:
    return place.done, place.total, place.fraction(), place.innermost().name, place.message()


def _timing(place: Place, elapsed: float) -> str:
    done = place.fraction()
    return timing(elapsed, elapsed * (1 - done) / done if 0 < done < 1 else None)


def _share(place: Place) -> str:
    return "" if place.total is None else f"{100 * place.fraction():3.0f} % "
