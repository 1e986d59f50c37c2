"""The widgets of the layout editor and how they are arranged."""

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from openhcs_gui_services.services.layout.shapes import SHAPES
from openhcs_gui_services.services.layout.templates import TEMPLATES, Template
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.layout.actions import LayoutActions
from openhcs_gui_services.widgets.layout.grid import LayoutGrid
from openhcs_gui_services.widgets.layout.legend import LayoutLegend
from openhcs_gui_services.widgets.layout.model import LayoutModel

__all__ = ["LayoutParts"]


class LayoutParts:
    """What the editor consists of.

    Args:
        owner: the editor, which gets a layout.
        on_template: called with a template that was chosen.
    """

    def __init__(self, owner: QWidget, on_template: Callable[[Template], None]) -> None:
        self.actions = LayoutActions(owner)
        self.model = LayoutModel(owner)
        self.grid = LayoutGrid(self.model)
        self.file = QElidingLabel()
        self.column, self.shape = QComboBox(), QComboBox()
        self.value_label, self.value = QLabel("Value"), QLineEdit()
        self.legend = LayoutLegend()
        self.notes = QLabel()
        self.body = QWidget()
        self.message = QLabel()
        self._set_up()
        self._menus(owner, on_template)
        self._lay_out(owner)

    def _set_up(self) -> None:
        self.file.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.column.setAccessibleName("Column of the map")
        self.column.setToolTip("The column that is shown and edited")
        self.column.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.column.setMinimumContentsLength(8)
        self.column.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.shape.setAccessibleName("Format of the plate")
        self.shape.setToolTip("The format of the plate; at first the smallest one that has all of its wells")
        for shape in SHAPES:
            self.shape.addItem(f"{shape.size} wells", shape)
        self.value.setAccessibleName("Value for the selected wells")
        self.value_label.setBuddy(self.value)
        for label in (self.notes, self.message):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.notes.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def _menus(self, owner: QWidget, on_template: Callable[[Template], None]) -> None:
        acts = self.actions
        self.columns_menu, self.layout_menu, self.wells_menu = QMenu(owner), QMenu(owner), QMenu(owner)
        self.columns_menu.addActions([acts.add_column, acts.rename_column, acts.delete_column])
        begin = self.layout_menu.addMenu("&Begin with")
        assert begin is not None
        for template in TEMPLATES:
            action = begin.addAction(template.title)
            assert action is not None
            action.triggered.connect(lambda _=False, chosen=template: on_template(chosen))
        self.layout_menu.addActions([acts.import_file, acts.export_file, acts.reload])
        self.wells_menu.addActions([acts.copy, acts.copy_list, acts.paste, acts.clear, acts.series, acts.select_all])
        self.layout_menu.addSeparator()
        self.layout_menu.addActions([acts.copy, acts.copy_list, acts.paste, acts.clear, acts.select_all])

    def _lay_out(self, owner: QWidget) -> None:
        acts = self.actions
        set_it = push_button("Set", "Set the value of the selected wells (Enter)", self.value.returnPressed.emit)
        rows = (
            _row(_button(acts.save), _button(acts.undo), _button(acts.redo), _button(acts.series),
                 _menu_button("Layout", "Templates, import and export, copy and paste", self.layout_menu), None),
            _row(self.column, _menu_button("Columns", "Add, rename or delete a column", self.columns_menu), self.shape),
        )  # fmt: skip
        body = QVBoxLayout(self.body)
        body.setContentsMargins(0, 0, 0, 0)
        body.addWidget(self.file)
        for row in rows:
            body.addLayout(row)
        body.addWidget(self.grid, 1)
        body.addLayout(_row(self.value_label, self.value, set_it))
        body.addWidget(self.legend)
        body.addWidget(self.notes)
        layout = QVBoxLayout(owner)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.body, 1)
        layout.addWidget(self.message, 1)


def _row(*widgets: QWidget | None) -> QHBoxLayout:
    """Return a row; None stands for a space that grows."""
    row = QHBoxLayout()
    row.setSpacing(4)
    for widget in widgets:
        if widget is None:
            row.addStretch(1)
        else:
            row.addWidget(widget, 1 if isinstance(widget, QLineEdit) else 0)
    return row


def _button(action: QAction) -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(action)
    button.setAccessibleName(action.toolTip().partition(" (")[0])
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
    return button


def _menu_button(text: str, tip: str, menu: QMenu) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setMenu(menu)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    return button
