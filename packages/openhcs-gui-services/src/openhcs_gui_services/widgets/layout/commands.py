"""The edits of the layout editor: values, series, columns, templates, copy and paste; each can be undone."""

from collections.abc import Callable, Sequence
from typing import Final

from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QWidget

from openhcs_gui_services.exceptions import LayoutError
from openhcs_gui_services.services.layout.clipboard import block_text, list_text, paste
from openhcs_gui_services.services.layout.series import Operation, Series
from openhcs_gui_services.services.layout.shapes import PlateShape, shape_for
from openhcs_gui_services.services.layout.table import LayoutTable
from openhcs_gui_services.services.layout.templates import CONTROL, Template
from openhcs_gui_services.widgets.layout.draft import LayoutDraft
from openhcs_gui_services.widgets.layout.grid import LayoutGrid
from openhcs_gui_services.widgets.layout.questions import ask_text
from openhcs_gui_services.widgets.layout.series_dialog import SeriesDialog

__all__ = ["LayoutCommands", "named_wells"]

_DOSE, _DOSE_UNIT, _USUAL_UNIT = "dose", "dose_unit", "uM"
_NONE_SELECTED: Final = "no well is selected: select wells first"


class LayoutCommands(QObject):
    """Edits a draft at the selected wells.

    Args:
        owner: the editor, for questions.
        draft: returns the draft that is shown; None without a plate.
        grid: the grid with the selection.
    """

    changed = pyqtSignal()
    """The draft has to be shown again."""
    refused = pyqtSignal(str)
    """An edit is not possible: why, and what to do."""

    def __init__(self, owner: QWidget, draft: Callable[[], LayoutDraft | None], grid: LayoutGrid) -> None:
        super().__init__(owner)
        self._owner, self._draft, self._grid = owner, draft, grid

    def do(self, title: str, make: Callable[[LayoutDraft], LayoutTable], column: str = "") -> bool:
        """Do an edit; return whether it was possible.

        Args:
            title: what it is called in "Undo ...".
            make: returns the table after it, and may raise a ``LayoutError``.
            column: the column to show then [default: the same].
        """
        draft = self._draft()
        if draft is None:
            return False
        try:
            draft.edits.do(title, make(draft))
        except LayoutError as error:
            self.refused.emit(str(error))
            return False
        draft.column = column or draft.column
        draft.fit()
        self.changed.emit()
        return True

    def undo(self) -> None:
        """Take back the last edit."""
        if (draft := self._draft()) is not None:
            draft.edits.undo()
            self.changed.emit()

    def redo(self) -> None:
        """Do the last edit again that was taken back."""
        if (draft := self._draft()) is not None:
            draft.edits.redo()
            draft.fit()
            self.changed.emit()

    # --- values --------------------------------------------------------------------------------------------------

    def set_value(self, text: str) -> None:
        """Set the value of the selected wells in the shown column; "" empties them."""
        if wells := self._selected():
            texts = dict.fromkeys(wells, text)
            word = "value" if text else "clearing"
            self.do(f"{word} of {named_wells(wells)}", lambda draft: draft.edits.table.with_values(draft.column, texts))

    def fill(self, series: Series, unit: str = "") -> None:
        """Fill the selected wells with a series, and with its unit in the column ``dose_unit``."""
        wells = self._selected()

        def filled(draft: LayoutDraft) -> LayoutTable:
            table = draft.edits.table.with_values(draft.column, series.values(wells))
            return table.with_values(_DOSE_UNIT, dict.fromkeys(wells, unit)) if unit else table

        if wells:
            self.do(f"series in {named_wells(wells)}", filled)

    def ask_series(self) -> None:
        """Ask for a series for the selected wells."""
        wells, draft = self._selected(), self._draft()
        if draft is None or not wells:
            return
        is_dose = draft.column.lower().startswith((_DOSE, "conc"))
        known = next(iter(draft.edits.table.values(_DOSE_UNIT)), _USUAL_UNIT)
        first = Series(10, 3) if is_dose else Series(1, 1, Operation.ADD)
        dialog = SeriesDialog(draft.column, wells, first, known if draft.column == _DOSE else None, self._owner)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.series_accepted.connect(self.fill)
        dialog.open()

    # --- copy and paste ------------------------------------------------------------------------------------------

    def copy(self) -> None:
        """Copy the values of the selected wells in the shown column, as a block."""
        wells, draft = self._selected(), self._draft()
        if wells and draft is not None:
            _to_clipboard(block_text(draft.edits.table, draft.column, wells))

    def copy_list(self) -> None:
        """Copy all columns of the selected wells."""
        wells, draft = self._selected(), self._draft()
        if wells and draft is not None:
            _to_clipboard(list_text(draft.edits.table, wells))

    def paste(self) -> None:
        """Paste cells of a spreadsheet from the clipboard, as ``services.layout.clipboard.paste`` does."""
        clipboard = QGuiApplication.clipboard()
        text = "" if clipboard is None else clipboard.text()
        got: list[Sequence[str]] = []

        def pasted(draft: LayoutDraft) -> LayoutTable:
            table, wells = paste(draft.edits.table, text, draft.column, self._grid.selected_wells(), draft.shape)
            new = [name for name in table.columns if name not in draft.edits.table.columns]
            if new and draft.column not in table.columns:
                draft.column = new[0]
            got.append(wells)
            return table

        if self.do("paste", pasted):
            self._grid.select_wells(got[0])

    # --- columns and plates --------------------------------------------------------------------------------------

    def apply_template(self, template: Template) -> None:
        """Begin with a usual layout."""
        self.do(
            f"'{template.title}'",
            lambda draft: template.apply(draft.edits.table, draft.shape, draft.wells),
            "" if template.rule is None else CONTROL,
        )

    def ask_column(self) -> None:
        """Ask for the name of a new column."""
        ask_text(self._owner, "Add a column", "Name of the column, such as batch:", "", self.add_column)

    def add_column(self, name: str) -> None:
        """Add a column and show it."""
        name = " ".join(name.split())
        self.do(f"column {name}", lambda draft: draft.edits.table.with_column(name), name)

    def ask_name(self) -> None:
        """Ask for another name of the shown column."""
        if (draft := self._draft()) is not None:
            label = f"New name of {draft.column}:"
            ask_text(self._owner, "Rename the column", label, draft.column, self.rename_column)

    def rename_column(self, name: str) -> None:
        """Give the shown column another name."""
        name = " ".join(name.split())
        self.do(f"name {name}", lambda draft: draft.edits.table.renamed(draft.column, name), name)

    def delete_column(self) -> None:
        """Delete the shown column."""
        self.do("deletion of a column", lambda draft: draft.edits.table.without_column(draft.column))

    def choose_shape(self, shape: PlateShape) -> None:
        """Show a plate of another format, if it has all wells."""
        draft = self._draft()
        if draft is None:
            return
        least = shape_for([*draft.wells, *draft.edits.table.wells])
        if shape.size >= least.size:
            draft.shape = shape
        self.changed.emit()
        if shape.size < least.size:
            self.refused.emit(f"a plate with {shape.size} wells lacks some of the layout: choose {least.size} or more")

    def _selected(self) -> tuple[str, ...]:
        """Return the selected wells; without any, say so."""
        wells = self._grid.selected_wells()
        if not wells and self._draft() is not None:
            self.refused.emit(_NONE_SELECTED)
        return wells


def named_wells(wells: Sequence[str]) -> str:
    """Return one well by name, several by number."""
    return wells[0] if len(wells) == 1 else f"{len(wells)} wells"


def _to_clipboard(text: str) -> None:
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)
