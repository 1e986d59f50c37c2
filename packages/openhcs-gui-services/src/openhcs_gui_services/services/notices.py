"""How a batch of plates ended, and the notice about it: a title, a few lines, and the same as JSON."""

import platform
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from openhcs_gui_services.services.durations import duration_text

__all__ = ["BatchEnd", "Notice", "PlateEnd", "notice_json", "notice_of"]

SCHEMA = "openhcs-batch-end/1"
"""The name of the JSON document; its number changes if a field changes its meaning or is removed."""

_NAMED = 20
_MOST_TEXT = 200
"""Wells that are named in the lines of a plate, and characters of an error."""
_COMPLETE, _FAILED = "complete", "failed"
_WORDS = MappingProxyType({"cancelled": "stopped"})
"""What users read instead of the state in the document."""


@dataclass(frozen=True, slots=True)
class PlateEnd:
    """How one plate of a batch ended.

    Attributes:
        name: its name.
        path: its folder or URL.
        state: how it ended: ``complete``, ``failed``, ``cancelled`` or ``interrupted``.
        wells_done: number of wells with results.
        wells_total: number of wells that were to be done; 0 if it is not known.
        failed: the wells that failed, each with its error.
        error: why the plate as a whole failed; "" if it did not.
    """

    name: str
    path: str
    state: str
    wells_done: int
    wells_total: int
    failed: tuple[tuple[str, str], ...] = ()
    error: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it is complete and no well failed."""
        return self.state == _COMPLETE and not self.failed

    @property
    def line(self) -> str:
        """The plate in one line, with the names of the wells that failed."""
        text = f"{self.name}: {_WORDS.get(self.state, self.state)}"
        if self.wells_total:
            text += f", {self.wells_done} of {self.wells_total} wells done"
        if self.failed:
            names = ", ".join(well for well, _ in self.failed[:_NAMED])
            more = f" and {len(self.failed) - _NAMED} more" if len(self.failed) > _NAMED else ""
            text += f", failed: {names}{more}"
        return f"{text} ({_short(self.error)})" if self.error else text


@dataclass(frozen=True, slots=True)
class BatchEnd:
    """How a batch ended: its plates, in the order in which they ran, and how long it took in seconds."""

    plates: tuple[PlateEnd, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told about the end of a batch.

    Attributes:
        title: one line.
        lines: one line a plate, then how long it took and on which machine.
        is_good: whether all plates are complete and no well failed.
    """

    title: str
    lines: tuple[str, ...]
    is_good: bool = True

    @property
    def text(self) -> str:
        """All lines without the title."""
        return "\n".join(self.lines)


def notice_of(end: BatchEnd, machine: str = "") -> Notice:
    """Return the notice about a batch.

    Args:
        end: how it ended.
        machine: name of the machine [default: that of this one].
    """
    took = f"Took {duration_text(end.seconds)} on {machine or platform.node()}"
    return Notice(_title(end.plates), (*(plate.line for plate in end.plates), took), _is_good(end))


def notice_json(end: BatchEnd, machine: str = "") -> bytes:
    """Return the document that a webhook gets, as ``docs/howto-gui.md`` describes it.

    Args:
        end: how the batch ended.
        machine: name of the machine [default: that of this one].
    """
    machine = machine or platform.node()
    notice = notice_of(end, machine)
    plates = [
        {
            "name": plate.name,
            "path": plate.path,
            "state": plate.state,
            "wells_done": plate.wells_done,
            "wells_total": plate.wells_total,
            "failed": [{"well": well, "error": _short(error)} for well, error in plate.failed],
            "error": _short(plate.error),
        }
        for plate in end.plates
    ]
    return msgspec.json.encode(
        {
            "schema": SCHEMA,
            "text": f"{notice.title}\n{notice.text}",
            "good": notice.is_good,
            "machine": machine,
            "seconds": round(end.seconds, 3),
            "plates": plates,
        }
    )


def _is_good(end: BatchEnd) -> bool:
    return all(plate.is_good for plate in end.plates)


def _title(plates: tuple[PlateEnd, ...]) -> str:
    wells = sum(len(plate.failed) for plate in plates)
    failed = f", {wells} failed {'well' if wells == 1 else 'wells'}" if wells else ""
    if len(plates) == 1:
        return f"{plates[0].name} {_WORDS.get(plates[0].state, plates[0].state)}{failed}"
    good = sum(plate.state == _COMPLETE for plate in plates)
    text = f"{good} of {len(plates)} plates complete"
    if bad := sum(plate.state == _FAILED for plate in plates):
        text += f", {bad} failed"
    return text + failed


def _short(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= _MOST_TEXT else f"{line[: _MOST_TEXT - 3]}..."
