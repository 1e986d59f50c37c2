"""The docks of the window: panes that are created when first shown, and the actions that bring them to the front."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PyQt6.QtCore import QSize, Qt, QTimer
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QDockWidget, QMainWindow, QVBoxLayout, QWidget

__all__ = ["Docks", "PaneSpec"]

_RIGHT, _BOTTOM = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
_SIZES = {_RIGHT: QSize(520, 420), _BOTTOM: QSize(420, 260)}
"""Preferred sizes of the docks at an edge, whatever is shown in them: opening a pane moves nothing else."""
_UPRIGHT = (_BOTTOM, Qt.DockWidgetArea.TopDockWidgetArea)


@dataclass(frozen=True)
class PaneSpec:
    """A pane next to the plates.

    Attributes:
        name: key under which its position is saved.
        title: text in its title bar and in the menu.
        keys: shortcut that shows it, or hides it if it is in front.
        area: where it is docked at first.
        make: creates the content; called when the pane is first shown.
        is_open: whether it is shown when the window is opened for the first time.
    """

    name: str
    title: str
    keys: str
    area: Qt.DockWidgetArea
    make: Callable[[], QWidget]
    is_open: bool = False


class Docks:
    """The docks of a window, and an action for each.

    Args:
        window: the window.
        specs: its panes, in the order of the menu.
    """

    def __init__(self, window: QMainWindow, specs: Sequence[PaneSpec]) -> None:
        self._window = window
        self._specs = {spec.name: spec for spec in specs}
        self._docks: dict[str, QDockWidget] = {}
        self._actions: dict[str, QAction] = {}
        self._can_fill = False
        first: dict[Qt.DockWidgetArea, QDockWidget] = {}
        last: dict[Qt.DockWidgetArea, QDockWidget] = {}
        for spec in specs:
            dock = self._add(spec)
            if spec.area in last:
                window.tabifyDockWidget(last[spec.area], dock)
            last[spec.area] = dock
            first.setdefault(spec.area, dock)
            dock.setVisible(spec.is_open)
        for dock in first.values():
            if dock.isVisibleTo(window):
                dock.raise_()

    @property
    def actions(self) -> list[QAction]:
        """An action for each pane, in order: it brings the pane to the front, or hides it if it is there."""
        return list(self._actions.values())

    def show(self, name: str) -> QWidget:
        """Bring a pane to the front and return its content."""
        dock = self._docks[name]
        area = self._window.dockWidgetArea(dock)
        shown = [
            each for each in self._docks.values() if each.isVisible() and self._window.dockWidgetArea(each) == area
        ]
        before = shown[0].size() if len(shown) == 1 and shown[0] is not dock else None
        dock.show()
        dock.raise_()
        if before is not None:  # the tab bar that two panes share takes its room from them, not from the plates
            QTimer.singleShot(0, lambda: self._resize(dock, before, area))
        return self.content(name)

    def content(self, name: str) -> QWidget:
        """Return the content of a pane, creating it if necessary."""
        holder = self._docks[name].widget()
        assert isinstance(holder, _Holder)
        return holder.content(self._specs[name].make)

    @property
    def contents(self) -> dict[str, QWidget]:
        """The contents of the panes that were created, by their titles."""
        made = {name: self._docks[name].findChild(_Holder) for name in self._docks}
        return {
            self._specs[name].title: holder.made
            for name, holder in made.items()
            if holder is not None and holder.made is not None
        }

    def are_tabs(self, first: str, second: str) -> bool:
        """Return whether two panes are tabs of one area, or one of them is closed."""
        one, other = self._docks[first], self._docks[second]
        return other in self._window.tabifiedDockWidgets(one) or not (one.isVisible() and other.isVisible())

    def put_next_to(self, first: str, second: str, width: int) -> None:
        """Show a pane to the right of another one, each with a width in pixels."""
        one, other = self._docks[first], self._docks[second]
        self.content(second)
        other.show()
        self._window.splitDockWidget(one, other, Qt.Orientation.Horizontal)
        one.raise_()
        self._window.resizeDocks([one, other], [width, width], Qt.Orientation.Horizontal)

    def make_tabs(self, first: str, second: str) -> None:
        """Show two panes as tabs of one area, the first one in front."""
        self._window.tabifyDockWidget(self._docks[first], self._docks[second])
        self._docks[first].raise_()

    def fill_shown(self) -> None:
        """Create the content of the panes in front; from now on also of those that come to the front."""
        self._can_fill = True
        for name, dock in self._docks.items():
            if _is_in_front(dock):
                self.content(name)
            self._show_state(name)

    def _resize(self, dock: QDockWidget, size: QSize, area: Qt.DockWidgetArea) -> None:
        if area in _UPRIGHT:
            self._window.resizeDocks([dock], [size.height()], Qt.Orientation.Vertical)
        else:
            self._window.resizeDocks([dock], [size.width()], Qt.Orientation.Horizontal)

    def _add(self, spec: PaneSpec) -> QDockWidget:
        dock = QDockWidget(spec.title, self._window)
        dock.setObjectName(spec.name)
        dock.setWidget(_Holder(_SIZES.get(spec.area, _SIZES[_RIGHT])))
        dock.visibilityChanged.connect(lambda shown, name=spec.name: self._on_visible(name, shown))
        self._window.addDockWidget(spec.area, dock)
        action = QAction(spec.title, self._window)
        action.setCheckable(True)
        action.setShortcut(QKeySequence(spec.keys))
        action.setStatusTip(f"Show the pane {spec.title}, or hide it if it is in front")
        action.triggered.connect(lambda _=False, name=spec.name: self._toggle(name))
        self._docks[spec.name], self._actions[spec.name] = dock, action
        return dock

    def _toggle(self, name: str) -> None:
        dock = self._docks[name]
        if _is_in_front(dock):
            dock.hide()
        else:
            self.show(name).setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._show_state(name)

    def _on_visible(self, name: str, shown: bool) -> None:
        """Create the content of a pane that came to the front, but not before the window can be used."""
        self._show_state(name)
        if shown and self._can_fill:
            QTimer.singleShot(0, lambda: self.content(name))

    def _show_state(self, name: str) -> None:
        self._actions[name].setChecked(_is_in_front(self._docks[name]))


class _Holder(QWidget):
    """Holds the content of a pane, with a preferred size of its own."""

    def __init__(self, size: QSize) -> None:
        super().__init__()
        self._size = size
        self.made: QWidget | None = None
        """The content, once it has been created."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    def sizeHint(self) -> QSize:
        return self._size

    def content(self, make: Callable[[], QWidget]) -> QWidget:
        if self.made is None:
            self.made = make()
            layout = self.layout()
            assert layout is not None
            layout.addWidget(self.made)
            self.setFocusProxy(self.made)
        return self.made


def _is_in_front(dock: QDockWidget) -> bool:
    return dock.isVisible() and not dock.visibleRegion().isEmpty()
