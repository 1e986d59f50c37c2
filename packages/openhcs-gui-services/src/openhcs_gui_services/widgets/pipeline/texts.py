"""The texts that a pane edits one at a time, each with its own history of edits."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PyQt6.QtGui import QTextDocument

__all__ = ["Identity", "KeptText", "KeptTexts", "ShownText"]

_MOST: Final = 20
"""Of how many texts the history is kept."""


@dataclass(frozen=True, slots=True)
class ShownText:
    """A pipeline as a pane is to show it.

    Attributes:
        text: Python source.
        path: the file that it is from; None if there is none.
        name: what it is called; "" for the name of the file.
        is_modified: whether it has edits that are in no file.
        basis: digest of the text of the file that it was made from; "" if that is not known.
        reference: what edits are compared with; None for the text itself.
    """

    text: str
    path: Path | None = None
    name: str = ""
    is_modified: bool = False
    basis: str = ""
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """What a text is called, its file, and the digest of the text that the file had when it was read or saved."""

    name: str
    path: Path | None = None
    basis: str = ""


@dataclass(slots=True)
class KeptText:
    """A text with its history.

    Attributes:
        document: the text, which has the history of edits.
        identity: what it is called.
        before_new: the text that a new pipeline has replaced, and what it was called.
        reference: the text as it was loaded, saved or last run.
        good: the last text without a syntax error; "" if there was none.
    """

    document: QTextDocument
    identity: Identity
    before_new: tuple[str, Identity] | None = None
    reference: str = ""
    good: str = ""


class KeptTexts:
    """The texts by the plates that they are of; those that were shown longest ago are dropped.

    Args:
        make: makes an empty document.
        name: what a new text is called.
    """

    def __init__(self, make: Callable[[], QTextDocument], name: str) -> None:
        self._make, self._name = make, name
        self._texts: OrderedDict[str, KeptText] = OrderedDict()
        self.plate = ""
        """The plate whose text is shown; "" if it is of none."""
        self.current = self.show("")

    def __contains__(self, plate: object) -> bool:
        return plate in self._texts

    def get(self, plate: str) -> KeptText | None:
        """Return the text of a plate; None if none is kept."""
        return self._texts.get(plate)

    def show(self, plate: str) -> KeptText:
        """Make the text of a plate the current one, and return it; it is empty if none was kept."""
        if plate not in self._texts:
            self._texts[plate] = KeptText(self._make(), Identity(self._name))
        self._texts.move_to_end(plate)
        self.plate, self.current = plate, self._texts[plate]
        return self.current

    def give_to(self, plate: str) -> None:
        """Let the current text be that of a plate from now on."""
        if plate != self.plate:
            self._drop(plate)
            self._texts[plate] = self._texts.pop(self.plate)
            self.plate = plate

    def trim(self) -> None:
        """Drop the oldest texts; called once the editor shows the current one."""
        while len(self._texts) > _MOST:
            self._drop(next(iter(self._texts)))

    def _drop(self, plate: str) -> None:
        if (dropped := self._texts.pop(plate, None)) is not None:
            dropped.document.deleteLater()
