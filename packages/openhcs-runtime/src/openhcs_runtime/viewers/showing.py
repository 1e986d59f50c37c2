"""Shows pictures in a viewer that is open, the first well at once, and goes there; for the terminal and the window."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import OpenHCSError, ViewerError
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.viewer_target import ViewCounts, ViewTarget
from openhcs_runtime.viewers.metadata import WANTED
from openhcs_runtime.viewers.origin import COMPARED, PLATE, RUN
from openhcs_runtime.viewers.results import Picture, Pictures
from zmqruntime import ZMQRuntimeError
from zmqruntime.streaming import ImageStream, Policy, Position, StreamTimeoutError, ViewerCommandError

__all__ = ["Shown", "show_pictures"]

_CONNECT_SECONDS = 15.0
_GO_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_STALL_SECONDS = 60.0
_WHERE = (PLATE, RUN, COMPARED, Component.WELL.value, Component.SITE.value)


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of pictures.

    Attributes:
        counts: how many were displayed, and how many not.
        problems: why some are missing.
    """

    counts: ViewCounts
    problems: tuple[str, ...] = ()


def show_pictures(
    found: Pictures,
    target: ViewTarget,
    *,
    on_sent: Callable[[], None] = lambda: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Shown:
    """Show pictures in a viewer, which is raised and goes to the first well as soon as that is there.

    A picture that can't be read is a problem, not the end.

    Args:
        found: the pictures.
        target: the viewer, which must be open.
        on_sent: called after each picture.
        is_cancelled: asked now and then whether to stop.

    Returns:
        What was shown.

    Raises:
        ViewerError: the viewer does not answer, or has stopped showing.
    """
    problems = list(found.problems)
    try:
        with ImageStream(target.port, host=target.host, config=OPENHCS_CONFIG, policy=Policy.BLOCK) as stream:
            is_connected = _is_connected(stream, is_cancelled)
            if is_cancelled():
                stream.close(0.0)
                return Shown(ViewCounts(), tuple(problems))
            if not is_connected:
                raise ViewerError(f"no viewer answers at {target}; start one there, or check host and port")
            first = found.pictures[0].key.well if found.pictures else ""
            of_first = [picture for picture in found.pictures if picture.key.well == first]
            rest = [picture for picture in found.pictures if picture.key.well != first]
            problems += _send(stream, found, of_first, on_sent, is_cancelled)
            _settle(stream, is_cancelled)  # the viewer can only go to what it has
            if of_first and not is_cancelled():
                problems += _go(stream, target, {PLATE: "", RUN: "", **found.position(of_first[0])})
            problems += _send(stream, found, rest, on_sent, is_cancelled)
            _settle(stream, is_cancelled)
            if is_cancelled():
                stream.close(0.0)
            return Shown(ViewCounts.of(stream.counts), tuple(problems))
    except StreamTimeoutError as error:
        raise ViewerError(f"{target} has stopped showing: {error}") from error
    except ZMQRuntimeError as error:
        raise ViewerError(str(error)) from error


def _is_connected(stream: ImageStream, is_cancelled: Callable[[], bool]) -> bool:
    """Wait until the viewer answers; return False after a while, or when it is cancelled."""
    end = time.monotonic() + _CONNECT_SECONDS
    while time.monotonic() < end and not is_cancelled():
        if stream.wait_connected(_LOOK_SECONDS):
            return True
    return False


def _send(
    stream: ImageStream,
    found: Pictures,
    pictures: Sequence[Picture],
    on_sent: Callable[[], None],
    is_cancelled: Callable[[], bool],
) -> list[str]:
    """Send pictures, each when the viewer has room for it, and return what is wrong with some of them."""
    problems = []
    for picture in pictures:
        if is_cancelled():
            break
        try:
            wanted = replace(picture, metadata={**picture.metadata, WANTED: True})
            wanted.send(stream, found.position(picture))
        except OpenHCSError as error:
            problems.append(str(error))
        on_sent()
    return problems


def _go(stream: ImageStream, target: ViewTarget, position: Position) -> list[str]:
    """Raise the viewer's window and go to the well of a position."""
    where = {name: position[name] for name in _WHERE if name in position}
    try:
        stream.navigate(where, timeout=_GO_SECONDS)
    except ViewerCommandError as error:
        return [f"{target} did not go to well {where[Component.WELL.value]}: {error}"]
    return []


def _settle(stream: ImageStream, is_cancelled: Callable[[], bool]) -> None:
    """Wait until everything is shown, as long as something is shown every minute.

    Raises:
        StreamTimeoutError: nothing was shown for a minute.
    """
    waits, shown = 0, -1
    while not is_cancelled():
        try:
            stream.settle(_LOOK_SECONDS)
        except StreamTimeoutError:
            now = stream.counts.displayed + stream.counts.failed
            waits, shown = (waits + 1 if now == shown else 0), now
            if waits * _LOOK_SECONDS >= _STALL_SECONDS:
                raise
        else:
            return
