"""The image view of the window: any well of a plate, before and after runs, alone or with another one next to it."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QPoint, QPointF, Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import QApplication, QWidget

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.images.latest import LatestTask
from openhcs_gui_services.services.images.overlay import Overlay
from openhcs_gui_services.services.images.plate_steps import next_value, next_well
from openhcs_gui_services.services.images.queue import NewestFirst
from openhcs_gui_services.services.images.reader import PlateImages
from openhcs_gui_services.services.images.runs import runs_of
from openhcs_gui_services.services.images.source import ImagePlace, PlateSource
from openhcs_gui_services.widgets.common.buttons import OWN_RELOAD
from openhcs_gui_services.widgets.images.commands import Commands
from openhcs_gui_services.widgets.images.contrast_sampler import ContrastSampler
from openhcs_gui_services.widgets.images.looks import ChannelLooks
from openhcs_gui_services.widgets.images.object_reader import ObjectReader
from openhcs_gui_services.widgets.images.outlines import OutlineLooks
from openhcs_gui_services.widgets.images.pane_commands import add_commands
from openhcs_gui_services.widgets.images.pane_parts import PaneParts
from openhcs_gui_services.widgets.images.picked import PickedObject
from openhcs_gui_services.widgets.images.pictures import (
    ask_where_to_save,
    copy_picture,
    picture_name,
    save_picture,
)
from openhcs_gui_services.widgets.images.run_box import RunChoice
from openhcs_gui_services.widgets.images.viewport import Viewport
from openhcs_gui_services.widgets.images.well_view import WellView
from openhcs_runtime.exceptions import OutputError, PlateError

if TYPE_CHECKING:
    from openhcs_gui_services.services.images.opened import OpenPlate

__all__ = ["ImagesPane"]

_HINT = "Select a plate, then a well in its map, to see its images here."


class ImagesPane(QWidget):
    """Shows the wells of a plate. Everything is read in threads; :meth:`close_reads` ends them.

    Args:
        images: reads the images; by default the pane has a reader of its own, which it closes.
        parent: the parent widget.
    """

    place_changed = Signal(object)
    """The :class:`ImagePlace` that is shown; None if there is none."""
    place_pinned = Signal(object)
    """The :class:`ImagePlace` that was pinned; None if there is none any more."""
    well_wanted = Signal(str)
    """``axis_id`` of a well that was chosen with the arrow keys."""
    object_picked = Signal(object)
    """The :class:`PickedObject` that was clicked; None for the background."""
    contrast_settled = Signal()
    """The contrast has been set by wells from all over the plate."""
    reread = Signal(str)
    """Path of a plate whose folder is read again, because it may have changed."""
    viewer_wanted = Signal(str)
    """``axis_id`` of a well to show in the viewer."""

    def __init__(self, images: PlateImages | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.images = images or PlateImages()
        self._owns_images = images is None
        self._drawing = NewestFirst(1)
        self._tasks = BackgroundTasks(self._show_problem)
        self._opening = LatestTask(self._fail, "Reading the plate")
        self._source: PlateSource | None = None
        self._plate: OpenPlate | None = None
        self._run: Path | None = None
        self._runs: tuple[RunChoice, ...] = ()
        self._well = ""
        """The well that is wanted, also while the plate is being opened."""
        self._all_sites = self._were_all_sites = False
        self._place: ImagePlace | None = None
        self._object: tuple[ImagePlace, str, int] | None = None
        self._has_preview = False
        self._pointed: tuple[WellView | None, QPointF | None] = None, None
        self.looks, self.outlines, self.viewport = ChannelLooks(self), OutlineLooks(self), Viewport(self)
        self.view = self._make_view()
        self.pinned: WellView | None = None
        self._commands = Commands(self)
        add_commands(self._commands, self)
        self._keep_reload_key()
        self._commands.add_to(self.view.canvas)
        self._parts = PaneParts(self, self.view, self.looks, self.outlines, self._commands)
        self._measuring = ObjectReader(self.images, self._parts.table, self._show_problem)
        self._sampling = ContrastSampler(self.images, self.looks, self.contrast_settled.emit, self._show_problem)
        self._connect()
        self.setFocusProxy(self.view.canvas)
        self.view.show_text(_HINT)

    # --- for the program -----------------------------------------------------------------------------------------

    @property
    def place(self) -> ImagePlace | None:
        """The field of view that is shown; None if there is none, or if all sites are shown at once."""
        return self._place

    @property
    def well(self) -> str:
        """The well that is shown or wanted; empty if there is none."""
        return self._well

    @property
    def source(self) -> PlateSource | None:
        """The plate that is shown."""
        return self._source

    @property
    def plate(self) -> "OpenPlate | None":
        """The plate that is shown, once its folder has been read."""
        return self._plate

    @property
    def shows_all_sites(self) -> bool:
        """Whether all sites of the well are shown at once."""
        return self._all_sites

    def show_plate(self, source: PlateSource | None, run: Path | None) -> None:
        """Show a plate with the outlines of a run; None for no plate. What was asked for before is dropped.

        A pinned well stays, with its plate and its run.
        """
        if source == self._source and source is not None:
            self._take_run(run)
            return
        self._source, self._run, self._plate, self._well = source, run, None, ""
        self._object, self._all_sites = None, False
        if source is None:
            self._end_comparison()
        self._opening.cancel()
        self._sampling.cancel()
        self._measuring.hide()
        self._set_place(None)
        self._pointed = None, None
        self.viewport.fit()
        self._parts.show_none()
        self.looks.set_plate(None)
        if source is None:
            self.view.show_text(_HINT)
            return
        self.view.show_text(f"Reading {source.name}")
        self.view.set_run(run)
        self._opening.start(self._open(source))

    def show_well(self, axis_id: str) -> None:
        """Show this well of the plate, at the site, plane and time point that are shown."""
        if axis_id == self._well and self._place is not None and self._place.well == axis_id:
            return
        self._well = axis_id
        if self._plate is not None:
            self._show_wanted()

    def reload_labels(self) -> None:
        """Read the labels of the shown field of view again, such as after a run has written them."""
        for view in self._views():
            view.reload_labels()

    def show_overlay(self, overlay: Overlay | None) -> None:
        """Draw these labels over the shown field of view, or none; another field of view ends it."""
        self.view.show_overlay(overlay)
        self._parts.show_overlay(overlay)

    def offer_preview(self, is_on: bool) -> None:
        """Offer outlines of the preview among those of the runs, and choose them; or offer them no longer."""
        self._has_preview = is_on
        for view in self._views():
            view.offer_preview(is_on and self._is_of_plate(view))

    def show_instead(self, is_on: bool) -> None:
        """Show the image of the overlay instead of the channels, or the channels."""
        self._parts.instead.setChecked(is_on)

    def add_strip(self, widget: QWidget) -> None:
        """Put a widget under the image."""
        self._parts.strips.addWidget(widget)

    def show_object(self, place: ImagePlace, label_set: str, label: int) -> None:
        """Show an object in the middle of the view, with a ring and its measurements."""
        self._object = place, label_set, label
        self._well, self._all_sites = place.well, False
        if self._plate is not None:
            self._show_wanted()

    async def close_reads(self) -> None:
        """Drop all requests and end the threads. May be called twice."""
        for each in (self._opening, self._sampling, self._measuring):
            await each.close()
        for view in self._views():
            await view.close_reads()
        await self._tasks.close()
        await self._drawing.close()
        if self._owns_images:
            await self.images.close()

    # --- plate and place -----------------------------------------------------------------------------------------

    async def _open(self, source: PlateSource) -> None:
        try:
            plate = await self.images.plate(source)
        except PlateError as error:
            self._fail(f"{str(error)[:1].upper()}{str(error)[1:]}.")
            return
        self._plate = plate
        self.looks.set_plate(plate)
        self._show_wanted()
        self._show_pinned_again(plate)
        await self._list_runs(source)
        self._sampling.start(plate)

    async def _list_runs(self, source: PlateSource) -> None:
        try:
            call = functools.partial(runs_of, source, self._run)
            found = await self.images.call(("runs", source, self._run), call, later=True)
        except OutputError as error:
            self._show_problem(f"The runs of {source.name} can't be listed: {error}")
            found = ()
        self._runs = tuple(RunChoice(each.folder, each.title) for each in found)
        for view in self._views():
            if view.source in (None, source):
                view.set_runs(self._runs, self._run if view is self.view else view.run)

    def _show_wanted(self) -> None:
        plate = self._plate
        if plate is None:
            return
        if self._object is not None:
            asked, name, label = self._object
            self._object = None
            place = plate.known_place(asked)
            self._go(place)
            self.view.show_object(place, name, label)
            return
        well = self._well or next(iter(plate.wells), "")
        if well not in plate.wells and well not in plate.missing_wells:
            self._set_place(None)
            self.view.show_text(f"{plate.source.name} has no images of {well}: copy them from the microscope again.")
            return
        self._well = well
        here = self.view.place
        self._go(plate.first_place(well) if here is None else plate.near(here, well))

    def _go(self, place: ImagePlace) -> None:
        """Show a field of view of the plate."""
        plate = self._plate
        if plate is None:
            return
        is_other = place != self.view.place or self._all_sites != self._were_all_sites
        self._were_all_sites = self._all_sites
        self._well = place.well
        self.view.show_place(plate, place, all_sites=self._all_sites)
        if self.pinned is not None and self.pinned.place is not None and self._is_of_plate(self.pinned):
            pinned = self.pinned.place
            self.pinned.show_place(
                plate, ImagePlace(pinned.well, pinned.site, place.z_index, place.timepoint), all_sites=self._all_sites
            )
        if is_other:
            self.close_object()
            self._parts.show_overlay(None)
            self._show_values(None, None)
        self._parts.show_place(plate, place, all_sites=self._all_sites)
        self._set_place(None if self._all_sites else place)

    def _set_place(self, place: ImagePlace | None) -> None:
        if place != self._place:
            self._place = place
            self.place_changed.emit(place)

    def _read_ahead(self) -> None:
        """Read the neighbours of the shown field of view, so that they appear at once."""
        plate, place = self._plate, self.view.place
        if plate is None or place is None or self._all_sites:
            return
        moves = ((0, 1), (1, 0), (0, -1), (-1, 0))
        wells = [well for down, right in moves if (well := next_well(plate.wells, place.well, down, right))]
        site = next_value(plate.sites_of(place.well), place.site, 1)
        sites = [ImagePlace(place.well, site, place.z_index, place.timepoint)] if site else []
        numbers = [look.channel.number for look in self.looks.shown]
        self.images.read_ahead(plate, [*sites, *(plate.near(place, well) for well in wells)], numbers)

    # --- moving --------------------------------------------------------------------------------------------------

    def step_well(self, down: int, right: int) -> None:
        """Show the next well in a direction: 1 is down or right, -1 is up or left."""
        if self._plate is None or not self._well:
            return
        well = next_well(self._plate.wells, self._well, down, right)
        if well is not None:
            self.show_well(well)
            self.well_wanted.emit(well)

    def step(self, what: str, by: int) -> None:
        """Show the next site, plane or time point.

        Args:
            what: "site", "z_index" or "timepoint".
            by: 1 for the next, -1 for the one before.
        """
        plate, place = self._plate, self.view.place
        if plate is None or place is None:
            return
        values = {"site": plate.sites_of(place.well), "z_index": plate.z_indexes, "timepoint": plate.timepoints}[what]
        number = next_value(values, getattr(place, what), by)
        if number is not None:
            self._choose(what, number)

    def _choose(self, what: str, number: int) -> None:
        place = self.view.place
        if place is None:
            return
        if what == "site":
            self._all_sites = False
        known = {"site": place.site, "z_index": place.z_index, "timepoint": place.timepoint} | {what: number}
        self._go(ImagePlace(place.well, **known))

    def choose_site(self, site: int) -> None:
        """Show a site, or all of them for 0."""
        if site:
            self._choose("site", site)
        elif self.view.place is not None:
            self._all_sites = True
            self._go(self.view.place)
        self.view.canvas.setFocus()

    def toggle_channel(self, place: int) -> None:
        """Show or hide the channel at this place in the list, from 0."""
        looks = self.looks.all
        if place < len(looks):
            self.looks.set_on(looks[place].channel.number, not looks[place].is_on)

    def reload(self) -> None:
        """Read the folder again."""
        source, run, well = self._source, self._run, self._well
        if source is not None:
            all_sites = self._all_sites
            self.images.forget(source)
            self._source = None
            self.show_plate(source, run)
            self._well, self._all_sites = well, all_sites
            self.reread.emit(source.path)

    def _keep_reload_key(self) -> None:
        """Let F5 work in the whole window while the pane is in front, except in panes with an F5 of their own."""
        action = self._commands["reload"]
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        self.addAction(action)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus)

    def _on_focus(self, _: QWidget | None, now: QWidget | None) -> None:
        while now is not None and not now.property(OWN_RELOAD):
            now = now.parentWidget()
        self._commands["reload"].setEnabled(now is None)

    # --- two views -----------------------------------------------------------------------------------------------

    def _views(self) -> list[WellView]:
        return [view for view in (self.pinned, self.view) if view is not None]

    def compare(self, is_on: bool) -> None:
        """Show the present well a second time, pinned, so that another well or another run can be next to it."""
        if not is_on:
            self._end_comparison()
        elif self.pinned is None and self._plate is not None and self.view.place is not None:
            self.pinned = self._make_view()
            self._commands.add_to(self.pinned.canvas)
            self._parts.add_view(self.pinned)
            self.pinned.show_overlay_image(self._parts.instead.isChecked())
            self.pin()
        self._show_comparison()

    def pin(self) -> None:
        """Pin the well that is shown; the other view follows the map."""
        if self.pinned is None:
            self.compare(True)
        elif self._plate is not None and self.view.place is not None:
            self.pinned.offer_preview(self._has_preview)
            self.pinned.set_runs(self._runs, self.view.run)
            self.pinned.show_place(self._plate, self.view.place, all_sites=self._all_sites)
            if not self.view.is_preview:
                self.pinned.choose_run(self.view.run)
            self.place_pinned.emit(self.pinned.place)
            self.view.canvas.setFocus()

    def _is_of_plate(self, view: WellView) -> bool:
        """Return whether a view shows the plate of the pane, and not a pinned well of another one."""
        return view.source in (None, self._source)

    def _show_pinned_again(self, plate: "OpenPlate") -> None:
        """Show the pinned well as it is now, if its plate was read again."""
        pinned = self.pinned
        if pinned is None or pinned.place is None or pinned.source != plate.source:
            return
        pinned.show_place(plate, pinned.place, all_sites=pinned.shows_all_sites)

    def _end_comparison(self) -> None:
        pinned, self.pinned = self.pinned, None
        if pinned is not None:
            self.place_pinned.emit(None)
            pinned.hide()
            pinned.setParent(None)
            self._tasks.start(self._delete(pinned), "Closing the view")
        self._show_comparison()

    async def _delete(self, view: WellView) -> None:
        await view.close_reads()
        view.deleteLater()

    def _show_comparison(self) -> None:
        is_on = self.pinned is not None
        self._parts.compare.setChecked(is_on)
        self._show_values(None, None)
        for view in self._views():
            view.set_narrow(is_on)
            view.set_heading("pinned" if view is self.pinned else "")
        self._commands["pin"].setEnabled(self._plate is not None)

    # --- runs, objects, overlay ----------------------------------------------------------------------------------

    def _take_run(self, run: Path | None) -> None:
        """Show the outlines of another run, or what the same run has written since."""
        if run != self._run:
            self._run = run
            self.view.set_run(run)
        else:
            self.reload_labels()
        if self._plate is not None and self._source is not None:  # also how a known run has ended
            self._tasks.start(self._list_runs(self._source), "Listing the runs")

    def _show_instead(self, is_on: bool) -> None:
        for view in self._views():
            view.show_overlay_image(is_on)

    def _on_loaded(self) -> None:
        self._show_values(*self._pointed)
        self._parts.again.setVisible(any(view.problem for view in self._views()))
        self._parts.sets.show_sets(name for view in self._views() for name in view.set_names)
        self._read_ahead()

    def _on_picked(self, view: WellView, picked: PickedObject | None) -> None:
        for other in self._views():
            if other is not view:
                other.unpick()
        self.object_picked.emit(picked)
        if picked is None:
            self.close_object()
            return
        point = (view.picked_at or QPointF()).toPoint()
        stage = self._parts.stage
        self._measuring.show(picked)
        stage.keep_free(view.canvas.mapTo(stage, point), view.canvas.mapTo(stage, QPoint()).y())

    def close_object(self) -> None:
        """Show no object as picked."""
        self._measuring.hide()
        for view in self._views():
            view.unpick()

    # --- pictures ------------------------------------------------------------------------------------------------

    def picture_name(self) -> str:
        """Return a file name for a picture of the view: plate, well, site, and what else tells it from others."""
        places = [view.place for view in (self.view, self.pinned) if view is not None and view.place is not None]
        if self._plate is None or not places:
            return "image.png"
        other = None if self.pinned is None or self._is_of_plate(self.pinned) else self.pinned.source
        name = "" if other is None else other.name
        return picture_name(self._plate, places, all_sites=self._all_sites, other=name)

    def copy(self) -> None:
        """Put the measurements of the picked object on the clipboard, or the picture if none is picked."""
        if self._parts.table.isVisible() and self._parts.table.copy():
            self._parts.status.setText("The measurements of the object are on the clipboard")
        else:
            self.copy_picture()

    def copy_picture(self) -> None:
        """Put what the views show on the clipboard."""
        copy_picture(self._parts.splitter.grab())
        self._parts.status.setText("The picture is on the clipboard")

    def ask_where_to_save(self) -> None:
        """Ask for a file, and write what the views show now."""
        ask_where_to_save(self._parts.splitter.grab(), self.picture_name(), self, self._parts.status.setText)

    def save_picture(self, file: str) -> None:
        """Write what the views show as a PNG file."""
        self._parts.status.setText(save_picture(self._parts.splitter.grab(), file))

    # --- parts ---------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        parts = self._parts
        parts.sites.site_chosen.connect(self.choose_site)
        parts.planes.chosen.connect(lambda number: self._choose("z_index", number))
        parts.times.chosen.connect(lambda number: self._choose("timepoint", number))
        parts.instead.toggled.connect(self._show_instead)
        parts.compare.clicked.connect(self.compare)
        parts.fit.clicked.connect(self.viewport.fit)
        parts.full.clicked.connect(lambda: self.viewport.set_scale(1.0))
        parts.again.clicked.connect(self.reload)
        parts.table.closed.connect(self.close_object)
        parts.table.closed.connect(self.view.canvas.setFocus)

    def _make_view(self) -> WellView:
        view = WellView(self.images, self.looks, self.outlines, self.viewport, self._drawing.run, self._show_problem)
        view.loaded.connect(self._on_loaded)
        view.picked.connect(functools.partial(self._on_picked, view))
        view.site_wanted.connect(lambda site: self._choose("site", site))
        view.canvas.hovered.connect(functools.partial(self._show_values, view))
        view.canvas.plane_wanted.connect(lambda by: self.step("z_index", by))
        return view

    def _show_values(self, view: WellView | None, point: QPointF | None) -> None:
        """Show position and values below the pointer, also after the picture below it has changed."""
        self._pointed = view, point
        if view is None or point is None or self._plate is None:
            self._parts.status.setText("")
            return
        size = self._plate.pixel_size_um
        at = f"x {int(point.x())}, y {int(point.y())} px"
        if size is not None:
            at += f" ({point.x() * size:.1f}, {point.y() * size:.1f} \u00b5m)"
        values = view.values_at(point)
        self._parts.status.setText("   ".join([at, *(f"{name} {value}" for name, value in values)]) if values else "")

    def _fail(self, text: str) -> None:
        """Show why the plate can't be opened."""
        self.view.show_text(text)
        self._parts.again.show()

    def _show_problem(self, text: str) -> None:
        self._parts.status.setText(text)
