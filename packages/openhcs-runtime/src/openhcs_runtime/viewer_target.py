"""The viewer of a run, and counts of the images it shows. Importing it loads no viewer and no image library."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from openhcs_runtime.exceptions import ViewerError
from openhcs_runtime.viewer_program import viewer_names, viewer_program

if TYPE_CHECKING:
    from zmqruntime.streaming import StreamCounts

__all__ = ["ViewCounts", "ViewStep", "ViewTarget"]

_PORTS = range(1, 64536)


class ViewStep(StrEnum):
    """Steps of the progress of a viewer: ``completed`` of the ``total`` that was sent to it were displayed, and so on.

    Their axis is empty, since they concern the whole plate.
    """

    DISPLAYED = "viewer"
    SKIPPED = "viewer skipped"
    FAILED = "viewer failed"


@dataclass(frozen=True, slots=True)
class ViewTarget:
    """The address of a viewer.

    Attributes:
        port: its data port.
        host: host of a viewer that is reached over TCP; None for a viewer of this user on this machine.
        kind: name of the program to start if no viewer is running; None for a viewer that was started elsewhere.
    """

    port: int
    host: str | None = None
    kind: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the name of an installed viewer, optionally with a port (``napari:5600``), or ``HOST:PORT``.

        Raises:
            ViewerError: the text has none of these forms.
        """
        name, _, number = text.strip().rpartition(":") if ":" in text else (text.strip(), "", "")
        kind = name.lower() if name.lower() in viewer_names() else None
        if kind is not None and ":" not in text:
            return cls(viewer_program(kind).usual_port, kind=kind)
        host = name.removeprefix("[").removesuffix("]")
        if not (host and re.fullmatch(r"\d{1,5}", number) and int(number) in _PORTS):
            names = viewer_names()
            form = f"{', '.join((*names, *(f'{name}:PORT' for name in names)))} for a viewer on this machine"
            raise ViewerError(
                f"{text!r} is not a viewer; choose {form}, HOST:PORT for one elsewhere (ports up to {_PORTS[-1]})"
            )
        return cls(int(number), kind=kind) if kind is not None else cls(int(number), host)

    def __str__(self) -> str:
        if self.kind is not None:
            usual = self.port == viewer_program(self.kind).usual_port
            return self.kind if usual else f"{self.kind}:{self.port}"
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ViewCounts:
    """Counts of everything sent to a viewer.

    Attributes:
        sent: all items; those in none of the other counts are still waiting or on their way.
        displayed: shown by the viewer.
        failed: could not be shown.
        skipped: dropped for something newer, or because the viewer was missing or too slow.
    """

    sent: int = 0
    displayed: int = 0
    failed: int = 0
    skipped: int = 0

    @classmethod
    def of(cls, counts: "StreamCounts") -> "ViewCounts":
        """Return the counts of a stream."""
        return cls(counts.sent, counts.displayed, counts.failed, counts.skipped)

    def count(self, step: ViewStep) -> int:
        """The number that this step reports."""
        return {ViewStep.DISPLAYED: self.displayed, ViewStep.SKIPPED: self.skipped, ViewStep.FAILED: self.failed}[step]

    def with_count(self, step: ViewStep, count: int, sent: int) -> "ViewCounts":
        """These counts with the number that a step reports, of all that was sent."""
        return replace(self, sent=sent, **{step.name.lower(): count})

    def __add__(self, other: "ViewCounts") -> "ViewCounts":
        return ViewCounts(
            self.sent + other.sent,
            self.displayed + other.displayed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    def __str__(self) -> str:
        parts = [f"displayed {self.displayed:,}/{self.sent:,}"]
        parts += [f"skipped {self.skipped:,}"] if self.skipped else []
        parts += [f"failed {self.failed:,}"] if self.failed else []
        return ", ".join(parts)
