"""The commands of the image view: what each is called, its keys, and what it does."""

import functools
from typing import TYPE_CHECKING

from openhcs_gui_services.widgets.images.commands import Commands

if TYPE_CHECKING:
    from openhcs_gui_services.widgets.images.pane import ImagesPane

__all__ = ["add_commands"]

_ZOOM = _BRIGHTER = 1.25
_KEYS = 9


def add_commands(commands: Commands, pane: "ImagesPane") -> None:
    """Add all commands, in the order of the menu."""
    _add_moves(commands, pane)
    commands.separate()
    _add_zoom(commands, pane)
    commands.separate()
    _add_looks(commands, pane)
    commands.separate()
    commands.add("compare", "Compare with another well or run", ("C",), lambda: pane.compare(pane.pinned is None))
    commands.add("pin", "Pin this well", ("P",), pane.pin)
    commands.separate()
    commands.add("copy", "Copy the measurements or the picture", ("Ctrl+C",), pane.copy, hidden=True)
    commands.add("copy_picture", "Copy the picture", ("Ctrl+Alt+C",), pane.copy_picture)
    commands.add("save", "Save the picture...", ("Ctrl+Shift+S",), pane.ask_where_to_save)
    commands.add("reload", "Read the folder again", ("F5",), pane.reload)
    commands.add("viewer", "Open in the viewer", (), lambda: pane.viewer_wanted.emit(pane.well))
    commands.add("close", "Close the measurements", ("Esc",), pane.close_object, hidden=True)


def _add_moves(commands: Commands, pane: "ImagesPane") -> None:
    add = commands.add
    for text, key, down, right in (
        ("Well to the left", "Left", 0, -1),
        ("Well to the right", "Right", 0, 1),
        ("Well above", "Up", -1, 0),
        ("Well below", "Down", 1, 0),
    ):
        add(f"well_{key.lower()}", text, (key,), functools.partial(pane.step_well, down, right))
    add("site_before", "Site before", ("PgUp", "["), lambda: pane.step("site", -1))
    add("site_after", "Site after", ("PgDown", "]"), lambda: pane.step("site", 1))
    add("all_sites", "All sites", ("S",), lambda: pane.choose_site(0))
    add("plane_up", "Plane above", ("Shift+Up",), lambda: pane.step("z_index", -1))
    add("plane_down", "Plane below", ("Shift+Down",), lambda: pane.step("z_index", 1))
    add("time_before", "Time point before", ("Shift+Left",), lambda: pane.step("timepoint", -1))
    add("time_after", "Time point after", ("Shift+Right",), lambda: pane.step("timepoint", 1))


def _add_zoom(commands: Commands, pane: "ImagesPane") -> None:
    viewport = pane.viewport
    commands.add("fit", "Fit into the view", ("Ctrl+0", "0"), viewport.fit)
    commands.add("full", "One image pixel for one of the screen", ("Ctrl+Alt+0",), lambda: viewport.set_scale(1.0))
    commands.add("zoom_in", "Zoom in", ("Ctrl++", "Ctrl+=", "+"), lambda: viewport.zoom(_ZOOM))
    commands.add("zoom_out", "Zoom out", ("Ctrl+-", "-"), lambda: viewport.zoom(1 / _ZOOM))


def _add_looks(commands: Commands, pane: "ImagesPane") -> None:
    looks, outlines = pane.looks, pane.outlines
    commands.add("auto", "Automatic contrast", ("A",), lambda: looks.set_auto())
    commands.add("brighter", "Brighter", ("B",), lambda: looks.brighten(_BRIGHTER))
    commands.add("darker", "Darker", ("D",), lambda: looks.brighten(1 / _BRIGHTER))
    commands.add("outlines", "Outlines on or off", ("O",), lambda: outlines.set_on(not outlines.are_on))
    for number in range(_KEYS):
        toggle = functools.partial(pane.toggle_channel, number)
        commands.add(f"channel_{number + 1}", f"Channel {number + 1}", (str(number + 1),), toggle, hidden=True)
