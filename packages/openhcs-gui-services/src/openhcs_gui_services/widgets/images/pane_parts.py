"""The widgets of the image view and their layout; what they do is in the pane."""

from typing import TYPE_CHECKING

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QMenu, QSplitter, QToolButton, QVBoxLayout, QWidget
from superqt import QElidingLabel

from openhcs_gui_services.services.images.overlay import Overlay
from openhcs_gui_services.services.images.source import ImagePlace
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.images.channel_bar import ChannelBar
from openhcs_gui_services.widgets.images.commands import Commands
from openhcs_gui_services.widgets.images.looks import ChannelLooks
from openhcs_gui_services.widgets.images.object_table import ObjectTable
from openhcs_gui_services.widgets.images.outlines import OutlineBar, OutlineLooks
from openhcs_gui_services.widgets.images.place_bar import NumberSlider, SiteBox
from openhcs_gui_services.widgets.images.stage import Stage

if TYPE_CHECKING:
    from openhcs_gui_services.services.images.opened import OpenPlate

__all__ = ["PaneParts"]

_EVEN = 1000


class PaneParts:
    """The widgets of an image view, from top to bottom.

    Args:
        owner: the image view.
        view: the view of a well that is always there.
        looks: how channels are shown.
        outlines: how outlines are shown.
        commands: the commands, for the menu.
    """

    def __init__(
        self, owner: QWidget, view: QWidget, looks: ChannelLooks, outlines: OutlineLooks, commands: Commands
    ) -> None:
        self.sites = SiteBox()
        self.instead = _button("Result", "Show the result of the step instead of the image", checkable=True)
        self.fit = _button("Fit", "Fit the image into the view (Ctrl+0)")
        self.full = _button("1:1", "One pixel of the image for one of the screen (Ctrl+Alt+0)")
        self.compare = _button("Compare", "Show another well, or another run, next to this one (C)", checkable=True)
        self.planes, self.times = NumberSlider("Plane"), NumberSlider("Time point")
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(view)
        self.sets, self.table = OutlineBar(outlines), ObjectTable()
        self.stage = Stage(self.splitter, self.table)
        self.table.resized.connect(self.stage.lay_card)
        self.again = push_button("Read the folder again", "Read plate and images again (F5)", lambda: None)
        self.status = QElidingLabel()
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.strips = QVBoxLayout()
        self._head = self._make_head(commands)
        box = QVBoxLayout(owner)
        box.setContentsMargins(6, 6, 6, 6)
        box.setSpacing(4)
        box.addWidget(self._head)
        box.addWidget(self.stage, 1)
        for widget in (self.again, self.status, self.planes, self.times, ChannelBar(looks), self.sets):
            box.addWidget(widget)
        box.addLayout(self.strips)
        self.table.hide()
        self.show_none()

    def add_view(self, view: QWidget) -> None:
        """Put a second view to the left of the first one, of the same width."""
        self.splitter.insertWidget(0, view)
        self.splitter.setSizes([_EVEN, _EVEN])

    def show_place(self, plate: "OpenPlate", place: ImagePlace, *, all_sites: bool) -> None:
        """Mark the shown field of view among those of the plate."""
        self._head.show()
        self.status.show()
        self.sites.show_sites(plate, place, all_sites=all_sites)
        self.planes.show_number(plate.z_indexes, place.z_index)
        self.times.show_number(plate.timepoints, place.timepoint)

    def show_none(self) -> None:
        """Offer nothing, as there is no plate."""
        self.sites.show_none()
        for widget in (self._head, self.again, self.status, self.planes, self.times, self.instead):
            widget.hide()
        self.sets.show_sets(())

    def show_overlay(self, overlay: Overlay | None) -> None:
        """Offer the image of an overlay, if it has one."""
        self.instead.setVisible(overlay is not None and overlay.image is not None)
        if overlay is not None:
            self.instead.setText(overlay.image_title or "Result")

    def _make_head(self, commands: Commands) -> QWidget:
        more = _button("More", "All commands of the image, with their keys")
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(more)
        commands.fill(menu)
        more.setMenu(menu)
        head = QWidget()
        box = QHBoxLayout(head)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.sites)
        box.addStretch(1)
        for button in (self.instead, self.fit, self.full, self.compare, more):
            box.addWidget(button)
        return head


def _button(text: str, tip: str, *, checkable: bool = False) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setAutoRaise(True)
    button.setCheckable(checkable)
    return button
