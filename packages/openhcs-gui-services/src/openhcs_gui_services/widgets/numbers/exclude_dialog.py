"""Excludes wells of a plate with a note, and includes them again."""

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.common.colours import tone_colour
from openhcs_gui_services.widgets.numbers.table_tab import wells_named
from openhcs_runtime.outputs.exclusions import Exclusions

__all__ = ["ExcludeDialog"]

_WELL = Qt.ItemDataRole.UserRole


class ExcludeDialog(QDialog):
    """Lists the excluded wells of a plate.

    Args:
        exclusions: the wells that are excluded.
        known: all wells of the plate.
        selected: wells that the field for names has at first, such as those selected in the map.
        parent: the parent widget.
    """

    exclude_wanted = Signal(tuple, str)
    """Wells to exclude, and the note."""
    include_wanted = Signal(tuple)
    """Wells to include again."""

    def __init__(
        self, exclusions: Exclusions, known: Sequence[str], selected: Sequence[str] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Excluded wells")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._known = tuple(known)
        self.wells, self.note, self.list, self.problem = QLineEdit(), QLineEdit(), QListWidget(), QLabel()
        self.wells.setText(" ".join(selected))
        self.wells.setPlaceholderText("B03, C or 7")
        self.note.setPlaceholderText("Air bubble")
        self.note.setMaxLength(200)
        self.list.setAccessibleName("Excluded wells")
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.problem.setWordWrap(True)
        self.problem.setStyleSheet(f"color: {tone_colour(Tone.BAD, self.palette()).name()}")
        self.problem.hide()
        self.exclude = push_button("&Exclude", "Leave these wells out of all numbers of the plate", self._exclude)
        self.include = push_button("&Include again", "Use the selected wells again", self._include)
        self._lay_out()
        self.show_exclusions(exclusions)
        self.list.itemSelectionChanged.connect(lambda: self.include.setEnabled(bool(self.list.selectedItems())))
        self.wells.returnPressed.connect(self.note.setFocus)
        self.note.returnPressed.connect(self._exclude)
        self.resize(420, 380)

    def show_exclusions(self, exclusions: Exclusions) -> None:
        """Show these excluded wells."""
        self.list.clear()
        for one in exclusions.wells:
            item = QListWidgetItem(f"{one.well}: {one.note}" if one.note else one.well)
            item.setData(_WELL, one.well)
            self.list.addItem(item)
        self.include.setEnabled(False)

    def show_problem(self, text: str) -> None:
        """Say why something was not done; nothing if the text is empty."""
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def _exclude(self) -> None:
        if not self.wells.text().strip():
            self.show_problem("name the wells to exclude first, such as B03")
            return
        try:
            wells = wells_named(self.wells.text(), self._known)
        except ValueError as error:
            self.show_problem(str(error))
            return
        self.show_problem("")
        self.exclude_wanted.emit(wells, self.note.text().strip())
        self.wells.clear()
        self.note.clear()

    def _include(self) -> None:
        self.include_wanted.emit(tuple(str(item.data(_WELL)) for item in self.list.selectedItems()))

    def _lay_out(self) -> None:
        text = QLabel(
            "Excluded wells stay in the tables, and are left out of what is compared and summed up here, in profiles "
            "and in reports, for all runs of the plate."
        )
        text.setWordWrap(True)
        form = QFormLayout()
        form.addRow("&Wells", self.wells)
        form.addRow("&Note", self.note)
        form.addRow(self.exclude)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        close = buttons.button(QDialogButtonBox.StandardButton.Close)
        assert close is not None
        close.setAutoDefault(False)  # Enter in a field would press it
        close.setDefault(False)
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addLayout(form)
        layout.addWidget(self.problem)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.include)
        layout.addWidget(buttons)
