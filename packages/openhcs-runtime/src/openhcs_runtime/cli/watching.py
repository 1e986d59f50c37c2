"""Watching a run: its events go to a board, and from there to bars on a terminal or to a few lines elsewhere."""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.live import Live

from openhcs_runtime.terminal.bars import BoardBars, plate_text
from openhcs_runtime.terminal.progress import RunProgress, Stage
from zmqruntime.client import Standing
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution import AxisProgress, AxisState, ExecutionClient
from zmqruntime.execution.helpers.patience import PatienceTeller, patience_text
from zmqruntime.execution.text import plural
from zmqruntime.messages import Event

__all__ = ["PlainLines", "shown", "watching"]

_FRAMES_PER_SECOND = 10
_LAST_EVENTS_SECONDS = 2.0
_PLAIN_SECONDS = 10.0
_PLAIN_FOLLOWING_SECONDS = 60.0
_PLAIN_SHARES = 10
_PLAIN_FAILURES = 20


@contextlib.contextmanager
def watching(client: ExecutionClient, execution_id: str, *, quiet: bool) -> Iterator[RunProgress]:
    """Show the run while the block waits for its end."""
    with shown(quiet=quiet) as (board, take), _told(client, board, quiet=quiet):
        if not (quiet or Console().is_terminal) and (before := _runs_before(client, execution_id)):
            print(f"Queued, {plural(before, 'run')} before it", flush=True)
        with _fed(client, execution_id, take):
            yield board


@contextlib.contextmanager
def shown(*, quiet: bool) -> Iterator[tuple[RunProgress, Callable[[Event], None]]]:
    """A board, and what takes the events of a run: they appear on the terminal unless it must be quiet."""
    board = RunProgress()
    console = Console(highlight=False)
    if quiet:
        yield board, board.apply
    elif console.is_terminal:
        warnings = _Warnings(board, lambda text: console.print(text, style="yellow", markup=False))
        with Live(BoardBars(board), console=console, refresh_per_second=_FRAMES_PER_SECOND):
            yield board, lambda event: _take(board, event, warnings.tell)
    else:
        lines = PlainLines(board, lambda text: print(text, flush=True))
        yield board, lambda event: _take(board, event, lines.tell)


@contextlib.contextmanager
def _told(client: ExecutionClient, board: RunProgress, *, quiet: bool) -> Iterator[None]:
    """Show when the server does not answer, which is not a reason to end."""
    write = PatienceTeller(lambda line: print(line, flush=True))
    is_plain = not (quiet or Console().is_terminal)

    def note(standing: Standing) -> None:
        board.note_waiting(patience_text(standing))
        if is_plain:
            write(standing)

    remove = client.add_listener(note)
    try:
        yield
    finally:
        remove()


def _take(board: RunProgress, event: Event, tell: Callable[[], None]) -> None:
    board.apply(event)
    tell()


def _runs_before(client: ExecutionClient, execution_id: str) -> int:
    """How many executions are running, or ahead in the queue, while this one waits; 0 if it does not wait."""
    position = client.poll_status(execution_id).queue_position
    return 0 if position is None else position + client.status(limit=0).running


@contextlib.contextmanager
def _fed(client: ExecutionClient, execution_id: str, take: Callable[[Event], None]) -> Iterator[None]:
    """Pass on all events of the execution; when the block ends by itself, the last ones have been passed on."""

    def feed() -> None:
        # The block waits for the end, and says when the server is lost.
        with contextlib.suppress(ZMQRuntimeError):
            for event in client.events(execution_id):
                take(event)

    thread = threading.Thread(target=feed, name="watch", daemon=True)
    thread.start()
    yield
    thread.join(_LAST_EVENTS_SECONDS)


class _Warnings:
    """Prints each note and each warning of a run once."""

    def __init__(self, board: RunProgress, write: Callable[[str], None]) -> None:
        self._board = board
        self._write = write
        self._told = 0
        self._noted = 0

    def tell(self) -> None:
        """Print the new ones."""
        notes, warnings = self._board.messages
        for text in notes[self._noted :]:
            self._write(text)
        self._noted = len(notes)
        for text in warnings[self._told :]:
            self._write(f"Warning: {text}")
        self._told = len(warnings)


class PlainLines:
    """Plain lines instead of bars.

    There is a line after each tenth of the wells, or after some seconds without one; warnings, failed wells, and that
    the run is waiting for images of the microscope are printed immediately.
    """

    def __init__(self, board: RunProgress, write: Callable[[str], None]) -> None:
        self._board = board
        self._write = write
        self._warnings = _Warnings(board, write)
        self._failed: set[str] = set()
        self._share = 0
        self._last = time.monotonic()
        self._followed = -math.inf

    def tell(self) -> None:
        """Print what has happened since the last call, if it is worth a line."""
        self._warnings.tell()
        view = self._board.view()
        for well in view.wells:
            if well.state is AxisState.FAILED and well.axis_id not in self._failed:
                self._tell_failed(well)
        if view.following:
            self._tell_following(plate_text(view))
            return
        self._followed = -math.inf
        share = view.done * _PLAIN_SHARES // max(1, len(view.wells))
        if view.stage is not Stage.ENDED and (share > self._share or time.monotonic() - self._last > _PLAIN_SECONDS):
            self._share, self._last = share, time.monotonic()
            viewer = f"; viewer {view.viewer}" if view.viewer else ""
            self._write(f"Plate {int(view.fraction * 100):3d} %  {plate_text(view)}{viewer}")

    def _tell_following(self, text: str) -> None:
        if time.monotonic() - self._followed > _PLAIN_FOLLOWING_SECONDS:
            self._followed = self._last = time.monotonic()
            self._share = 0
            self._write(text[:1].upper() + text[1:])

    def _tell_failed(self, well: AxisProgress) -> None:
        self._failed.add(well.axis_id)
        if len(self._failed) <= _PLAIN_FAILURES:
            self._write(f"Well {well.axis_id} failed: {well.error}")
