"""The buttons above the table: Run and Stop always keep their places and their text, others give way."""

from collections.abc import Sequence
from typing import Final

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QAction, QResizeEvent
from PyQt6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QSizePolicy, QToolButton, QWidget

from openhcs_gui_services.widgets.plates.actions import PlateActions

__all__ = ["PlateToolBar"]

_SPACING: Final = 2
_GAP: Final = 10
_WIDE_NAME: Final = "Run plate_0001_screen"
_NARROW_NAME: Final = "Run 12 plates"
_FILTER: Final = "Filter (Ctrl+F) wide"
_LEAST_FILTER: Final = 90


class PlateToolBar(QWidget):
    """Adapts to its width: first buttons lose their texts, then the less important ones move into the menu More.

    Args:
        actions: the actions of the buttons.
        filter_box: shown at the right end.
    """

    def __init__(self, actions: PlateActions, filter_box: QLineEdit) -> None:
        super().__init__()
        self._filter = filter_box
        self.run_button, self.stop_button = self._fixed(actions.run), self._fixed(actions.stop)
        self._more = self._more_button(actions)
        self._others = [
            self._button(action)
            for action in (
                actions.add,
                actions.compile,
                actions.resume,
                actions.view,
                actions.results,
                actions.remove,
                actions.report,
            )
        ]
        """Buttons that give way, the most important one first."""
        by_action = {button.defaultAction(): button for button in self._others}
        order: Sequence[QWidget | None] = (
            by_action[actions.add],
            by_action[actions.remove],
            None,
            self.run_button,
            self.stop_button,
            by_action[actions.resume],
            by_action[actions.compile],
            None,
            by_action[actions.view],
            by_action[actions.results],
            by_action[actions.report],
            self._more,
        )
        self._lay_out(order)
        self._run_menu(actions)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        """Return the size with Run, Stop, More and a small filter box."""
        fixed = sum(button.sizeHint().width() for button in (self._more,)) + 2 * self._width_of(_NARROW_NAME)
        return QSize(fixed + _LEAST_FILTER + 6 * _SPACING + 2 * _GAP, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the buttons to the width."""
        super().resizeEvent(event)
        self.fit()

    def fit(self) -> None:
        """Fit the buttons to the width; called again when texts or fonts change."""
        width, filter_width = self.width(), self.fontMetrics().horizontalAdvance(_FILTER) + 50
        both, icon_only = Qt.ToolButtonStyle.ToolButtonTextBesideIcon, Qt.ToolButtonStyle.ToolButtonIconOnly
        wide = self._sizes(both)
        fixed = self._more.sizeHint().width() + 14 * _SPACING + 2 * _GAP
        is_wide = fixed + 2 * self._width_of(_WIDE_NAME) + sum(wide) + filter_width <= width
        name = _WIDE_NAME if is_wide else _NARROW_NAME
        for button in (self.run_button, self.stop_button):
            button.setFixedWidth(self._width_of(name))
        filter_least = filter_width if is_wide else min(filter_width, max(_LEAST_FILTER, width // 5))
        spare = width - fixed - 2 * self._width_of(name) - filter_least
        sizes = wide if is_wide else self._sizes(icon_only)
        for button, size in zip(self._others, sizes, strict=True):
            button.setToolButtonStyle(both if is_wide else icon_only)
            spare -= size
            button.setVisible(is_wide or spare >= 0)
        self._filter.setFixedWidth(int(filter_least))

    def _sizes(self, style: Qt.ToolButtonStyle) -> list[int]:
        sizes = []
        for button in self._others:
            button.setToolButtonStyle(style)
            sizes.append(button.sizeHint().width() + _SPACING)
        return sizes

    def _width_of(self, text: str) -> int:
        return self.fontMetrics().horizontalAdvance(text) + 50

    def _lay_out(self, order: Sequence[QWidget | None]) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(_SPACING)
        for widget in order:
            if widget is None:
                layout.addSpacing(_GAP)
            else:
                layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(self._filter)

    def _button(self, action: QAction) -> QToolButton:
        button = QToolButton()
        button.setAutoRaise(True)
        button.setDefaultAction(action)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _fixed(self, action: QAction) -> QToolButton:
        """Return a button whose width does not change with its text."""
        button = self._button(action)
        button.setAutoRaise(False)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        return button

    def _run_menu(self, actions: PlateActions) -> None:
        menu = QMenu(self.run_button)
        menu.addActions([actions.run, actions.run_wells, actions.run_rest, actions.choose_wells])
        menu.addSeparator()
        menu.addAction(actions.run_all)
        self.run_button.setMenu(menu)
        self.run_button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)

    def _more_button(self, actions: PlateActions) -> QToolButton:
        button = QToolButton()
        button.setText("More")
        button.setToolTip("More actions on plates")
        button.setAccessibleName("More actions on plates")
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.aboutToShow.connect(lambda: self._fill_more(menu, actions))
        button.setMenu(menu)
        return button

    def _fill_more(self, menu: QMenu, actions: PlateActions) -> None:
        """Offer what has no button now, then what never has one."""
        menu.clear()
        hidden = [button.defaultAction() for button in self._others if button.isHidden()]
        menu.addActions([action for action in hidden if action is not None])
        menu.addSeparator()
        menu.addActions([actions.initialise, actions.undo_remove])
        menu.addSeparator()
        menu.addActions([actions.move_up, actions.move_down])
        menu.addSeparator()
        menu.addActions([actions.stop_all, actions.kill])
