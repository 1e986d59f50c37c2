"""The commands of the image view and their keys: each is in its menu, and works while an image has the focus."""

from collections.abc import Callable
from dataclasses import dataclass, field

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QMenu, QWidget

__all__ = ["Commands"]


@dataclass
class Commands:
    """Actions by name, in groups.

    Args:
        owner: the image view, which owns the actions.
    """

    owner: QWidget
    _groups: list[list[QAction]] = field(default_factory=lambda: [[]])
    _named: dict[str, QAction] = field(default_factory=dict)

    def __getitem__(self, name: str) -> QAction:
        return self._named[name]

    def add(
        self, name: str, text: str, keys: tuple[str, ...], call: Callable[[], object], *, hidden: bool = False
    ) -> QAction:
        """Add a command.

        Args:
            name: how the program calls it.
            text: text in the menu.
            keys: its keys.
            call: called when it is triggered.
            hidden: only keys, not in the menu.
        """
        action = QAction(text, self.owner)
        action.setObjectName(name)
        action.setShortcuts([QKeySequence(each) for each in keys])
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.triggered.connect(lambda _=False: call() and None)
        self._named[name] = action
        if not hidden:
            self._groups[-1].append(action)
        return action

    def separate(self) -> None:
        """Begin a group."""
        self._groups.append([])

    def add_to(self, widget: QWidget) -> None:
        """Let the keys work while this widget has the focus."""
        widget.addActions(list(self._named.values()))

    def fill(self, menu: QMenu) -> None:
        """Put the commands into a menu."""
        for place, group in enumerate(self._groups):
            if place:
                menu.addSeparator()
            menu.addActions(group)
