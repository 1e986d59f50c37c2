"""Edits the name and the limits of a gate with the keyboard."""

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from openhcs_gui_services.services.numbers.gates import Gate, PolygonGate, RangeGate, limited, limits_of, renamed
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.colours import tone_colour

__all__ = ["GateDialog"]


class GateDialog(QDialog):
    """Edits a gate.

    Args:
        gate: the gate.
        parent: the parent widget.
    """

    gate_changed = Signal(object)
    """The changed gate."""

    def __init__(self, gate: Gate, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Gate")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._gate = gate
        self.name = QLineEdit(gate.name)
        self.name.setMaxLength(80)
        self.fields = [QLineEdit(repr(value)) for value in limits_of(gate)]
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setStyleSheet(f"color: {tone_colour(Tone.BAD, self.palette()).name()}")
        self.problem.hide()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow("&Name", self.name)
        for title, field in zip(_titles(gate), self.fields, strict=False):
            form.addRow(title, field)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        if isinstance(gate, PolygonGate):
            layout.addWidget(QLabel(f"A lasso over {gate.x} and {gate.y} with {len(gate.corners)} corners"))
        layout.addWidget(self.problem)
        layout.addWidget(buttons)

    def _accept(self) -> None:
        try:
            limits = [float(field.text().replace(",", ".")) for field in self.fields]
            changed = renamed(limited(self._gate, limits), self.name.text().strip())
        except ValueError as error:
            self.problem.setText(str(error))
            self.problem.show()
            return
        self.gate_changed.emit(changed)
        self.accept()


def _titles(gate: Gate) -> tuple[str, ...]:
    if isinstance(gate, RangeGate):
        return f"{gate.x} from", f"{gate.x} to"
    if isinstance(gate, PolygonGate):
        return ()
    return f"{gate.x} from", f"{gate.x} to", f"{gate.y} from", f"{gate.y} to"
