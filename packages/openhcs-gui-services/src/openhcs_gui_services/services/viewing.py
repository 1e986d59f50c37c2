"""Shows the images of a plate in napari or Fiji: in this process if the viewer is open, which takes a moment.

If it is not, the command line starts it, in a process of its own, and shows the images. The newest request wins: one
that is still sending stops, and the window never waits.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_gui_services.services.child import end_child
from openhcs_gui_services.services.images.source import PlateSource
from openhcs_runtime.exceptions import OpenHCSError, OutputError, ViewerError
from openhcs_runtime.viewer_target import ViewTarget
from zmqruntime.frozen import module_command

if TYPE_CHECKING:
    from openhcs_runtime.viewers.results import Pictures
    from openhcs_runtime.viewers.showing import Shown

__all__ = ["ImagesViewer", "ViewRequest"]

_OTHERS = {"napari": "Fiji", "fiji": "napari"}


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """What to show.

    Attributes:
        source: the plate.
        results: folder of the run with its results; None to show only images.
        axis_id: the well; empty for all.
        viewer: ``napari``, ``fiji`` or ``HOST:PORT``.
    """

    source: PlateSource
    results: str | None
    axis_id: str
    viewer: str

    @property
    def what(self) -> str:
        """What is shown, in words."""
        return f"well {self.axis_id} of {self.source.name}" if self.axis_id else self.source.name


class ImagesViewer:
    """Shows images in the viewer of the settings.

    Args:
        say: called with a message and whether it is an error.
    """

    def __init__(self, say: Callable[[str, bool], None]) -> None:
        self._say = say
        self._newest = threading.Event()
        """Set when a request is not the newest any more."""
        self._starting = asyncio.Lock()

    async def show(self, request: ViewRequest) -> None:
        """Show images; a request that was made before and is not done yet is given up."""
        self._newest.set()
        overtaken = self._newest = threading.Event()
        self._say(f"Opening {request.what} in {request.viewer}", False)
        try:
            target = ViewTarget.parse(request.viewer)
            async with self._starting:  # a viewer is started only once
                if overtaken.is_set():
                    return
                if not await asyncio.to_thread(_is_open, target):
                    await self._start(request, target)
                    return
            shown = await asyncio.to_thread(_show, request, target, overtaken.is_set)
        except asyncio.CancelledError:
            overtaken.set()
            raise
        except OpenHCSError as error:
            if not overtaken.is_set():
                self._say(str(error), True)
            return
        if not overtaken.is_set():
            self._say(_outcome(request, shown), not shown.counts.displayed)

    async def _start(self, request: ViewRequest, target: ViewTarget) -> None:
        """Start the viewer and show the images there, in a process of its own.

        Raises:
            ViewerError: the viewer is not installed.
        """
        if missing := await asyncio.to_thread(_missing, target):
            other = _OTHERS.get(target.kind or "")
            raise ViewerError(f"{missing}, or choose {other} in Settings" if other else missing)
        process = await asyncio.create_subprocess_exec(
            *_command(request),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            told, wrong = await process.communicate()
        except asyncio.CancelledError:
            await end_child(process)
            raise
        is_error = bool(process.returncode)
        text = (wrong if is_error else told).decode(errors="replace")
        self._say(_useful_line(text) or f"{request.viewer} ended with code {process.returncode}", is_error)


def _command(request: ViewRequest) -> list[str]:
    source = request.source
    options = {
        "--wells": request.axis_id,
        "--pattern": source.pattern,
        "--format": source.plate_format,
        "--pages": source.pages,
    }
    given = [part for name, value in options.items() if value for part in (name, value)]
    path = request.results or source.path
    return [*module_command("openhcs_runtime.cli"), "view", path, "--view", request.viewer, *given]


def _useful_line(text: str) -> str:
    """Return the line that says what is wrong, without its prefix, or else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("Error:").strip() for line in lines if line.startswith("Error:")]
    return errors[-1] if errors else (lines or [""])[-1]


def _is_open(target: ViewTarget) -> bool:
    from openhcs_runtime.viewers.start import is_open  # noqa: PLC0415 - in a thread, as it takes time

    return is_open(target)


def _missing(target: ViewTarget) -> str:
    from openhcs_runtime.viewers.start import what_is_missing  # noqa: PLC0415 - as above

    return what_is_missing(target)


def _show(request: ViewRequest, target: ViewTarget, is_overtaken: Callable[[], bool]) -> "Shown":
    from openhcs_runtime.viewers.showing import show_pictures  # noqa: PLC0415 - as above

    return show_pictures(_pictures(request), target, is_cancelled=is_overtaken)


def _pictures(request: ViewRequest) -> "Pictures":
    """Return the pictures of the run, or the images of the plate if there is none that has finished a well."""
    from openhcs_runtime.viewers.results import find_images, find_pictures  # noqa: PLC0415 - as above

    source, wells = request.source, (request.axis_id,) if request.axis_id else ()
    problems: tuple[str, ...] = ()
    if request.results is not None:
        try:
            return find_pictures(Path(request.results), wells=wells, unfinished=True)
        except OutputError as error:
            problems = (f"Only images are shown, as {error}",)
    found = find_images(
        source.path, wells, pattern=source.pattern, plate_format=source.plate_format, pages=source.pages
    )
    return replace(found, problems=problems)


def _outcome(request: ViewRequest, shown: "Shown") -> str:
    """Return what was shown, in words, and first what is wrong with it."""
    count, sent = shown.counts.displayed, shown.counts.sent
    number = f"{count:,}" if count == sent else f"{count:,} of {sent:,}"
    images = f"{number} image{'' if sent == 1 else 's'} of {request.what} in {request.viewer}"
    return ". ".join((*shown.problems[:1], images))
