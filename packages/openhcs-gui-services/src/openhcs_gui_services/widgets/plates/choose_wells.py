"""The dialog that chooses wells to run: by name, by plate map or as a sample, with a preview."""

from collections.abc import Awaitable, Callable

from PyQt6.QtCore import Qt, QTimer, pyqtSignal as Signal
from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.plates.choice import ChosenPreview, WellChoice

__all__ = ["ChooseWellsDialog"]

_PREVIEW_MS = 250
_WIDTH = 460


class ChooseWellsDialog(QDialog):
    """Asks which wells of a plate to run. Open it with ``open()``, which does not block.

    Args:
        name: the plate.
        wells: the wells to begin with.
        preview: returns which wells a choice stands for.
        tasks: where previews are started.
        parent: the parent widget.
    """

    chosen = Signal(WellChoice)
    """The wells to run."""

    def __init__(
        self,
        name: str,
        wells: tuple[str, ...],
        preview: Callable[[WellChoice], Awaitable[ChosenPreview]],
        tasks: BackgroundTasks,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._preview, self._tasks = preview, tasks
        self._asked = 0
        self.wells, self.where, self.sites = QLineEdit(", ".join(wells)), QLineEdit(), QLineEdit()
        self.sample = QSpinBox()
        self.found = QLabel()
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Choose wells of {name}")
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PREVIEW_MS)
        self._timer.timeout.connect(self._ask)
        for field in (self.wells, self.where, self.sites):
            field.textChanged.connect(self._change)
        self.sample.valueChanged.connect(self._change)
        self._change()

    def choice(self) -> WellChoice:
        """Return what the fields say.

        Raises:
            ValueError: the sites are not numbers.
        """
        words = self.wells.text().replace(";", ",").replace(" ", ",").split(",")
        sites = self.sites.text().replace(";", ",").replace(" ", ",").split(",")
        return WellChoice(
            wells=tuple(filter(None, words)),
            where=self.where.text().strip(),
            sample=self.sample.value() or None,
            sites=tuple(int(site) for site in sites if site),
        )

    def _lay_out(self) -> None:
        self.wells.setPlaceholderText("all; for example A01-C06, B, 3")
        self.where.setPlaceholderText("for example control == 'negative'")
        self.sites.setPlaceholderText("all; for example 1, 2")
        self.sample.setRange(0, 10_000)
        self.sample.setSpecialValueText("all of these wells")
        self.sample.setSuffix(" wells, spread over the plate")
        self.found.setTextFormat(Qt.TextFormat.PlainText)
        self.found.setWordWrap(True)
        self.found.setMinimumHeight(3 * self.fontMetrics().lineSpacing())
        self.found.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.found.setAccessibleName("Chosen wells")
        form = QFormLayout()
        form.addRow("&Wells", self.wells)
        form.addRow("Where in the plate &map", self.where)
        form.addRow("&Sample", self.sample)
        form.addRow("S&ites", self.sites)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        run = self._buttons.addButton("&Run", QDialogButtonBox.ButtonRole.AcceptRole)
        assert run is not None
        self.run_button = run
        self._buttons.accepted.connect(self._accept)
        self._buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.found)
        layout.addWidget(self._buttons)
        self.setMinimumWidth(_WIDTH)

    def _change(self) -> None:
        self.run_button.setEnabled(False)
        self._timer.start()

    def _ask(self) -> None:
        try:
            choice = self.choice()
        except ValueError:
            self._show(ChosenPreview((), "Sites are numbers: write them as in 1, 2", False))
            return
        self._asked += 1
        self._tasks.start(self._answer(choice, self._asked), "Choosing wells")

    async def _answer(self, choice: WellChoice, number: int) -> None:
        found = await self._preview(choice)
        if number == self._asked and self.isVisible():
            self._show(found)

    def _show(self, found: ChosenPreview) -> None:
        self.found.setText(found.text)
        self.run_button.setEnabled(found.is_valid)
        count = len(found.wells)
        self.run_button.setText(f"&Run {count} well{'' if count == 1 else 's'}" if found.is_valid else "&Run")

    def _accept(self) -> None:
        self.chosen.emit(self.choice())
        self.accept()
