"""A list of everything that can be done, found by typing: Ctrl+K."""

from collections.abc import Iterable
from dataclasses import dataclass

from PyQt6.QtCore import QEvent, QObject, QPoint, Qt
from PyQt6.QtGui import QAction, QKeyEvent, QKeySequence
from PyQt6.QtWidgets import (
    QApplication,
    QDialog,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QMenuBar,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

__all__ = ["Command", "CommandPalette", "commands_in", "commands_of", "matching"]

_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


@dataclass(frozen=True)
class Command:
    """An action with the menu that it is in."""

    group: str
    action: QAction

    @property
    def text(self) -> str:
        """What it does, without the sign of its mnemonic."""
        return _plain(self.action.text())

    @property
    def keys(self) -> str:
        """Its shortcuts, as written on this platform."""
        written = QKeySequence.SequenceFormat.NativeText
        return ", ".join(keys.toString(written) for keys in self.action.shortcuts())


def commands_of(bar: QMenuBar) -> tuple[Command, ...]:
    """Return everything in the menus of a window, each action once."""
    found: dict[QAction, Command] = {}
    for top in bar.actions():
        if (menu := top.menu()) is not None:
            for command in _in_menu(menu, _plain(top.text())):
                found.setdefault(command.action, command)
    return tuple(found.values())


def commands_in(group: str, widget: QWidget) -> tuple[Command, ...]:
    """Return what the actions of a widget and its parts do, such as those of a pane."""
    actions = (action for action in widget.findChildren(QAction) if action.text() and not action.isSeparator())
    return tuple(Command(group, action) for action in actions if action.isVisible() and action.menu() is None)


def matching(commands: Iterable[Command], typed: str) -> list[Command]:
    """Return the commands that contain all typed words, those that begin with them first."""
    words = typed.lower().split()
    found = [command for command in commands if all(word in _searched(command) for word in words)]
    return sorted(found, key=lambda command: not command.text.lower().startswith(typed.strip().lower()))


class CommandPalette(QDialog):
    """Lists commands, and runs the chosen one after it has closed.

    Args:
        commands: the commands; those that are disabled are shown, with what they would do, but can't be chosen.
        parent: the window.
    """

    def __init__(self, commands: tuple[Command, ...], parent: QWidget) -> None:
        super().__init__(parent)
        self._commands = commands
        self.setWindowTitle("Commands")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.typed = QLineEdit()
        self.typed.setPlaceholderText("What do you want to do?")
        self.typed.setAccessibleName("Find a command")
        self.list = QTreeWidget()
        self.list.setColumnCount(3)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setAccessibleName("Commands")
        self._set_columns()
        self._tip = QLabel()
        self._tip.setWordWrap(True)
        self._tip.setTextFormat(Qt.TextFormat.PlainText)
        layout = QVBoxLayout(self)
        for widget in (self.typed, self.list, self._tip):
            layout.addWidget(widget)
        self.typed.textChanged.connect(lambda _: self._show())
        self.typed.returnPressed.connect(self._run)
        self.list.itemActivated.connect(lambda *_: self._run())
        self.list.currentItemChanged.connect(lambda *_: self._show_tip())
        self.typed.installEventFilter(self)
        self._show()
        self._place(parent)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Move in the list with the arrow keys while typing."""
        is_press = isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress
        if watched is self.typed and isinstance(event, QKeyEvent) and is_press and event.key() in _MOVES:
            QApplication.sendEvent(self.list, event)
            return True
        return super().eventFilter(watched, event)

    def _set_columns(self) -> None:
        header = self.list.header()
        assert header is not None
        header.setStretchLastSection(False)
        modes = QHeaderView.ResizeMode
        for column, mode in enumerate((modes.Stretch, modes.ResizeToContents, modes.ResizeToContents)):
            header.setSectionResizeMode(column, mode)

    def _place(self, window: QWidget) -> None:
        height = self.fontMetrics().height()
        self.resize(min(window.width() - 40, height * 40), min(window.height() - 80, height * 26))
        self.move(window.mapToGlobal(QPoint((window.width() - self.width()) // 2, 40)))

    def _show(self) -> None:
        self.list.clear()
        for command in matching(self._commands, self.typed.text()):
            item = QTreeWidgetItem([command.text, command.keys, command.group])
            item.setData(0, Qt.ItemDataRole.UserRole, command)
            item.setIcon(0, command.action.icon())
            item.setDisabled(not command.action.isEnabled())
            self.list.addTopLevelItem(item)
        for at in range(self.list.topLevelItemCount()):
            first = self.list.topLevelItem(at)
            if first is not None and not first.isDisabled():
                self.list.setCurrentItem(first)
                break
        self._show_tip()

    def _chosen(self) -> Command | None:
        item = self.list.currentItem()
        if item is None or item.isDisabled():
            return None
        command = item.data(0, Qt.ItemDataRole.UserRole)
        return command if isinstance(command, Command) else None

    def _show_tip(self) -> None:
        command = self._chosen()
        if command is not None:
            self._tip.setText(command.action.statusTip() or command.text)
        else:
            self._tip.setText("" if self.list.topLevelItemCount() else "No command contains these words")

    def _run(self) -> None:
        command = self._chosen()
        if command is not None:
            self.accept()
            command.action.trigger()


def _in_menu(menu: QMenu, group: str) -> Iterable[Command]:
    menu.aboutToShow.emit()  # menus that are filled when they open
    for action in menu.actions():
        if (inner := action.menu()) is not None:
            yield from _in_menu(inner, f"{group} / {_plain(action.text())}")
        elif action.text() and not action.isSeparator() and action.isVisible():
            yield Command(group, action)


def _plain(text: str) -> str:
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&")


def _searched(command: Command) -> str:
    return f"{command.group} {command.text} {command.action.statusTip()} {command.keys}".lower()
