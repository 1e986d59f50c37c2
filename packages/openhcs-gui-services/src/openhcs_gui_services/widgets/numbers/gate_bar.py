"""The gates of a plate: tools to draw them, a list, and what can be done with the chosen one."""

from collections.abc import Callable, Sequence

from PyQt6.QtCore import pyqtSignal as Signal
from PyQt6.QtGui import QActionGroup, QGuiApplication
from PyQt6.QtWidgets import QComboBox, QMenu, QToolButton, QWidget

from openhcs_gui_services.services.numbers.gates import Gate, RangeGate, where_of
from openhcs_gui_services.widgets.numbers.flow import flow, together
from openhcs_gui_services.widgets.numbers.gate_dialog import GateDialog
from openhcs_gui_services.widgets.numbers.gate_view_box import GateTool
from openhcs_gui_services.widgets.numbers.measure_bar import short_combo

__all__ = ["GateBar"]

_NO_GATE = "no gate"
_TOOLS = (
    (GateTool.MOVE, "Move", "Drag to move the plot, with the right button or the wheel to zoom"),
    (GateTool.RANGE, "Range", "Drag over the histogram to choose objects"),
    (GateTool.RECTANGLE, "Rectangle", "Drag a rectangle around objects to choose them"),
    (GateTool.LASSO, "Lasso", "Draw around objects to choose them"),
)


class GateBar(QWidget):
    """Chooses a gate or the tool to draw one."""

    tool_changed = Signal(object)
    """The :class:`GateTool` that was chosen."""
    gate_chosen = Signal(object)
    """The gate that was chosen from the list; None for none."""
    gate_changed = Signal(object, object)
    """A gate before and after it was edited; None after it was deleted."""
    rows_wanted = Signal(str)
    """An expression for the objects of the gate, which the table is to show."""
    colours_wanted = Signal()
    """The map is to show the share of objects in the gate."""
    new_wanted = Signal()
    """A gate is to be made with limits that are typed."""
    message = Signal(str, bool)
    """A line for the status bar, and whether it is an error."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._gates: tuple[Gate, ...] = ()
        self._tool = GateTool.MOVE
        self.gates, self.menu_button = short_combo(QComboBox(), 9), QToolButton()
        self._group = QActionGroup(self)
        self.tools = {tool: self._tool_button(tool, text, tip) for tool, text, tip in _TOOLS}
        self.setLayout(flow(together(tuple(self.tools.values())), together((self.gates, self.menu_button))))
        self._make_menu()
        self.gates.setAccessibleName("Gate")
        self.gates.addItem(_NO_GATE)
        self.gates.currentIndexChanged.connect(lambda _: self._on_chosen())
        self.show_kind(is_scatter=False)
        self._update()

    @property
    def gate(self) -> Gate | None:
        """The chosen gate; None if there is none."""
        place = self.gates.currentIndex() - 1
        return self._gates[place] if 0 <= place < len(self._gates) else None

    def show_kind(self, *, is_scatter: bool) -> None:
        """Offer the tools for a scatter plot or a histogram."""
        for tool in (GateTool.RECTANGLE, GateTool.LASSO):
            self.tools[tool].setVisible(is_scatter)
        self.tools[GateTool.RANGE].setVisible(not is_scatter)
        if self._tool not in ((GateTool.RECTANGLE, GateTool.LASSO) if is_scatter else (GateTool.RANGE,)):
            self.choose_tool(GateTool.RECTANGLE if is_scatter else GateTool.RANGE)

    def choose_tool(self, tool: GateTool) -> None:
        """Choose a tool."""
        action = self.tools[tool].defaultAction()
        assert action is not None
        action.trigger()

    def show_gates(self, gates: Sequence[Gate], chosen: Gate | None = None) -> None:
        """Offer these gates and choose one, without a signal."""
        self._gates = tuple(gates)
        self.gates.blockSignals(True)
        self.gates.clear()
        self.gates.addItem(_NO_GATE)
        self.gates.addItems([gate.name for gate in gates])
        self.gates.setCurrentIndex(0 if chosen is None else self._gates.index(chosen) + 1)
        self.gates.blockSignals(False)
        self._update()

    def edit(self) -> None:
        """Edit the name and the limits of the chosen gate."""
        gate = self.gate
        if gate is not None:
            dialog = GateDialog(gate, self)
            dialog.gate_changed.connect(lambda changed: self.gate_changed.emit(gate, changed))
            dialog.open()

    def copy_where(self) -> None:
        """Copy the chosen gate as an expression for ``openhcs-runtime table --where``."""
        clipboard = QGuiApplication.clipboard()
        if self.gate is not None and clipboard is not None and (where := where_of(self.gate)):
            clipboard.setText(where)
            self.message.emit(f"Copied: {where}", False)

    def _tool_button(self, tool: GateTool, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        action = self._group.addAction(text)
        assert action is not None
        action.setCheckable(True)
        action.setToolTip(tip)
        action.triggered.connect(lambda _=False: self._take_tool(tool))
        button.setDefaultAction(action)
        return button

    def _take_tool(self, tool: GateTool) -> None:
        self._tool = tool
        self.tool_changed.emit(tool)

    def _make_menu(self) -> None:
        menu = QMenu(self.menu_button)
        lines: tuple[tuple[str, Callable[[], object]], ...] = (
            ("&New with limits…", self.new_wanted.emit),
            ("&Colour the map by its share of objects", self.colours_wanted.emit),
            ("Show its objects in the &table", self._show_rows),
            ("Copy as a &filter", self.copy_where),
            ("&Edit name and limits…", self.edit),
            ("&Delete", self._delete),
        )
        self._actions = [menu.addAction(text) for text, _ in lines]
        for action, (_, call) in zip(self._actions, lines, strict=True):
            assert action is not None
            action.triggered.connect(lambda _=False, call=call: call() and None)
        self.menu_button.setText("Gate")
        self.menu_button.setToolTip("What to do with the chosen gate")
        self.menu_button.setMenu(menu)
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    def _delete(self) -> None:
        if self.gate is not None:
            self.gate_changed.emit(self.gate, None)

    def _show_rows(self) -> None:
        if self.gate is not None and (where := where_of(self.gate)):
            self.rows_wanted.emit(where)

    def _on_chosen(self) -> None:
        self._update()
        self.gate_chosen.emit(self.gate)

    def _update(self) -> None:
        gate = self.gate
        for place, action in enumerate(self._actions):
            assert action is not None
            needs_where = place in (2, 3)  # a lasso has no expression
            action.setEnabled(not place or (gate is not None and (bool(where_of(gate)) or not needs_where)))

    @staticmethod
    def tool_of(gate: Gate) -> GateTool:
        """Return the tool that draws gates of this kind."""
        if isinstance(gate, RangeGate):
            return GateTool.RANGE
        return GateTool.RECTANGLE if where_of(gate) else GateTool.LASSO
