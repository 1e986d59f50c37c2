"""The edits of a plate map, each of which can be undone."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from openhcs_gui_services.services.layout.table import LayoutTable

__all__ = ["LayoutEdits"]

_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class _Edit:
    title: str
    before: LayoutTable
    after: LayoutTable


class LayoutEdits:
    """A table and what was done to it, at most the last 200 edits.

    Args:
        table: the table at first, as it is on disk.
    """

    def __init__(self, table: LayoutTable) -> None:
        self.table = table
        self.saved = table
        """The table as it is on disk."""
        self._done: deque[_Edit] = deque(maxlen=_MOST)
        self._undone: list[_Edit] = []

    @property
    def is_modified(self) -> bool:
        """Whether the table differs from the one on disk."""
        return self.table != self.saved

    @property
    def undo_title(self) -> str:
        """What :meth:`undo` would take back; "" for nothing."""
        return self._done[-1].title if self._done else ""

    @property
    def redo_title(self) -> str:
        """What :meth:`redo` would do again; "" for nothing."""
        return self._undone[-1].title if self._undone else ""

    def do(self, title: str, table: LayoutTable) -> bool:
        """Take another table; return whether it differs."""
        if table == self.table:
            return False
        self._done.append(_Edit(title, self.table, table))
        self._undone.clear()
        self.table = table
        return True

    def undo(self) -> None:
        """Take back the last edit."""
        if self._done:
            edit = self._done.pop()
            self._undone.append(edit)
            self.table = edit.before

    def redo(self) -> None:
        """Do the last edit again that was taken back."""
        if self._undone:
            edit = self._undone.pop()
            self._done.append(edit)
            self.table = edit.after
