"""The image view of the window: any well of a plate, before and after runs, alone or with another one next to it."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QPointF, Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import QApplication, QFileDialog, QHBoxLayout, QMenu, QSplitter, QToolButton, QVBoxLayout, QWidget
from superqt import QElidingLabel

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.images.latest import LatestTask
from openhcs_gui_services.services.images.overlay import Overlay
from openhcs_gui_services.services.images.plate_steps import next_value, next_well, sampled_wells
from openhcs_gui_services.services.images.queue import NewestFirst
from openhcs_gui_services.services.images.reader import PlateImages
from openhcs_gui_services.services.images.runs import runs_of
from openhcs_gui_services.services.images.source import ImagePlace, PlateSource
from openhcs_gui_services.widgets.images.channel_bar import ChannelBar
from openhcs_gui_services.widgets.images.commands import Commands
from openhcs_gui_services.widgets.images.looks import ChannelLooks
from openhcs_gui_services.widgets.images.object_table import ObjectTable
from openhcs_gui_services.widgets.images.outlines import OutlineBar, OutlineLooks
from openhcs_gui_services.widgets.images.place_bar import NumberSlider, SiteBox
from openhcs_gui_services.widgets.images.viewport import Viewport
from openhcs_gui_services.widgets.images.well_view import PickedObject, RunChoice, WellView
from openhcs_runtime.exceptions import ImageError, OpenHCSError, OutputError, PlateError

if TYPE_CHECKING:
    from openhcs_gui_services.services.images.opened import OpenPlate

__all__ = ["ImagesPane"]

_HINT = "Select a plate, then a well in its map, to see its images here."
_ZOOM = 1.25
_BRIGHTER = 1.25
_KEYS = 9


class ImagesPane(QWidget):
    """Shows the wells of a plate. Everything is read in threads; :meth:`close_reads` ends them.

    Args:
        images: reads the images; by default the pane has a reader of its own, which it closes.
        parent: the parent widget.
    """

    place_changed = Signal(object)
    """The :class:`ImagePlace` that is shown; None if there is none."""
    well_wanted = Signal(str)
    """``axis_id`` of a well that was chosen with the arrow keys."""
    object_picked = Signal(object)
    """The :class:`PickedObject` that was clicked; None for the background."""
    contrast_settled = Signal()
    """The contrast has been set by wells from all over the plate."""
    viewer_wanted = Signal(str)
    """``axis_id`` of a well to show in the viewer."""

    def __init__(self, images: PlateImages | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.images = images or PlateImages()
        self._owns_images = images is None
        self._drawing = NewestFirst(1)
        self._tasks = BackgroundTasks(self._show_problem)
        self._opening = LatestTask(self._show_problem, "Reading the plate")
        self._sampling = LatestTask(self._show_problem, "Reading the contrast")
        self._measuring = LatestTask(self._show_problem, "Reading the object")
        self._source: PlateSource | None = None
        self._plate: OpenPlate | None = None
        self._run: Path | None = None
        self._runs: tuple[RunChoice, ...] = ()
        self._well = ""
        """The well that is wanted, also while the plate is being opened."""
        self._all_sites = False
        self._place: ImagePlace | None = None
        self._object: tuple[ImagePlace, str, int] | None = None
        self.looks, self.outlines, self.viewport = ChannelLooks(self), OutlineLooks(self), Viewport(self)
        self.view = self._make_view()
        self.pinned: WellView | None = None
        self._commands = Commands(self)
        self._add_commands()
        self._commands.add_to(self.view.canvas)
        self._lay_out()
        self._show_no_bars()
        self.view.show_text(_HINT)

    # --- for the program -----------------------------------------------------------------------------------------

    @property
    def place(self) -> ImagePlace | None:
        """The field of view that is shown; None if there is none, or if all sites are shown at once."""
        return self._place

    @property
    def source(self) -> PlateSource | None:
        """The plate that is shown."""
        return self._source

    @property
    def plate(self) -> "OpenPlate | None":
        """The plate that is shown, once its folder has been read."""
        return self._plate

    def show_plate(self, source: PlateSource | None, run: Path | None) -> None:
        """Show a plate with the outlines of a run; None for no plate. What was asked for before is dropped."""
        if source == self._source and source is not None:
            self._take_run(run)
            return
        self._source, self._run, self._plate, self._well = source, run, None, ""
        self._object, self._all_sites = None, False
        self._end_comparison()
        for each in (self._opening, self._sampling, self._measuring):
            each.cancel()
        self._table.hide()
        self._set_place(None)
        self._show_no_bars()
        self.looks.set_plate(None)
        if source is None:
            self.view.show_text(_HINT)
            return
        self.view.show_text(f"Reading {source.name}")
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
        self._instead.setVisible(overlay is not None and overlay.image is not None)
        if overlay is not None:
            self._instead.setText(overlay.image_title or "Result")

    def show_instead(self, is_on: bool) -> None:
        """Show the image of the overlay instead of the channels, or the channels."""
        self._instead.setChecked(is_on)

    def add_strip(self, widget: QWidget) -> None:
        """Put a widget under the image."""
        self._strips.addWidget(widget)

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
            self.view.show_text(f"{str(error)[:1].upper()}{str(error)[1:]}.")
            return
        self._plate = plate
        self.looks.set_plate(plate)
        self._show_wanted()
        await self._list_runs(source)
        self._sampling.start(self._sample(plate))

    async def _list_runs(self, source: PlateSource) -> None:
        try:
            found = await self.images.call(("runs", source, self._run), functools.partial(runs_of, source, self._run))
        except OutputError as error:
            self._show_problem(f"The runs of {source.name} can't be listed: {error}")
            found = ()
        self._runs = tuple(RunChoice(each.folder, each.title) for each in found)
        for view in self._views():
            view.set_runs(self._runs, self._run if view is self.view else view.run)

    async def _sample(self, plate: "OpenPlate") -> None:
        """Set the contrast by wells from all over the plate, so that it suits all of them."""
        for well in sampled_wells(plate.wells):
            place = plate.first_place(well)
            for channel in plate.channels:
                try:
                    plane = await self.images.pyramid(plate.source, place, channel.number)
                except (ImageError, PlateError):
                    continue  # it is reported where it is shown
                self.looks.add_sample(channel.number, f"{well} {place.site}", plane.sample)
        self.looks.settle()
        self.contrast_settled.emit()

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
        is_other = place != self.view.place
        self._well = place.well
        self.view.show_place(plate, place, all_sites=self._all_sites)
        if self.pinned is not None and self.pinned.place is not None:
            pinned = self.pinned.place
            self.pinned.show_place(
                plate, ImagePlace(pinned.well, pinned.site, place.z_index, place.timepoint), all_sites=self._all_sites
            )
        if is_other:
            self._close_table()
            self._instead.hide()
        self._show_bars(plate, place)
        self._set_place(None if self._all_sites else place)

    def _show_bars(self, plate: "OpenPlate", place: ImagePlace) -> None:
        self._sites.show_sites(plate, place, all_sites=self._all_sites)
        self._planes.show_number(plate.z_indexes, place.z_index)
        self._times.show_number(plate.timepoints, place.timepoint)

    def _show_no_bars(self) -> None:
        self._sites.show_none()
        self._planes.hide()
        self._times.hide()
        self._instead.hide()
        self._bar.show_sets(())

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

    def _step_well(self, down: int, right: int) -> None:
        if self._plate is None or not self._well:
            return
        well = next_well(self._plate.wells, self._well, down, right)
        if well is not None:
            self.show_well(well)
            self.well_wanted.emit(well)

    def _step(self, what: str, by: int) -> None:
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

    def _choose_site(self, site: int) -> None:
        if site:
            self._choose("site", site)
        elif self.view.place is not None:
            self._all_sites = True
            self._go(self.view.place)
        self.view.canvas.setFocus()

    def _toggle_channel(self, place: int) -> None:
        looks = self.looks.all
        if place < len(looks):
            self.looks.set_on(looks[place].channel.number, not looks[place].is_on)

    def _reload(self) -> None:
        """Read the folder again."""
        source, run, well = self._source, self._run, self._well
        if source is not None:
            self.images.forget(source)
            self._source = None
            self.show_plate(source, run)
            self._well = well

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
            self._splitter.insertWidget(0, self.pinned)
            self._splitter.setSizes([1000, 1000])
            self.pinned.set_runs(self._runs, self.view.run)
            self._pin()
        self._show_comparison()

    def _pin(self) -> None:
        """Pin the well that is shown; the other view follows the map."""
        if self.pinned is None:
            self.compare(True)
        elif self._plate is not None and self.view.place is not None:
            self.pinned.set_run(self.view.run)
            self.pinned.show_place(self._plate, self.view.place, all_sites=self._all_sites)
            self.view.canvas.setFocus()

    def _end_comparison(self) -> None:
        pinned, self.pinned = self.pinned, None
        if pinned is not None:
            pinned.hide()
            pinned.setParent(None)
            self._tasks.start(self._delete(pinned), "Closing the view")
        self._show_comparison()

    async def _delete(self, view: WellView) -> None:
        await view.close_reads()
        view.deleteLater()

    def _show_comparison(self) -> None:
        is_on = self.pinned is not None
        self._compare.setChecked(is_on)
        self.view.set_heading("")
        if self.pinned is not None:
            self.pinned.set_heading("Pinned")
        self._commands["pin"].setEnabled(self._plate is not None)

    # --- runs, objects, overlay ----------------------------------------------------------------------------------

    def _take_run(self, run: Path | None) -> None:
        """Show the outlines of another run, or what the same run has written since."""
        if run != self._run:
            self._run = run
            self.view.set_run(run)
            if self._plate is not None and self._source is not None:
                self._tasks.start(self._list_runs(self._source), "Listing the runs")
        else:
            self.reload_labels()

    def _on_loaded(self) -> None:
        self._bar.show_sets(name for view in self._views() for name in view.set_names)
        self._read_ahead()

    def _on_picked(self, picked: PickedObject | None) -> None:
        for view in self._views():
            if view is not self.sender():
                view.unpick()
        self.object_picked.emit(picked)
        if picked is None:
            self._close_table()
            return
        place = None if picked.labels is None else picked.labels.of.key
        where = "" if place is None else f", {place.well}, site {place.site}"
        title = f"{picked.name} {picked.label}{where}"
        self._table.show()
        self._table.show_object(title, None)
        self._measuring.start(self._measure(title, picked))

    async def _measure(self, title: str, picked: PickedObject) -> None:
        # Image libraries, which opening the plate has loaded in a thread.
        from openhcs_gui_services.services.images.objects import ObjectValues, read_object  # noqa: PLC0415

        if picked.labels is None or picked.run is None:
            self._table.show_object(title, ObjectValues(problem="It is of a trial, which measures no single objects."))
            return
        of, pixels = picked.labels.of, picked.labels.labels
        call = functools.partial(read_object, picked.run, picked.name, of, picked.label, pixels)
        try:
            values = await self.images.call(("object", picked.run, picked.labels.of, picked.label), call)
        except OpenHCSError as error:
            values = ObjectValues(problem=f"{str(error)[:1].upper()}{str(error)[1:]}.")
        self._table.show_object(title, values)

    def _close_table(self) -> None:
        self._measuring.cancel()
        self._table.hide()
        for view in self._views():
            view.unpick()

    # --- pictures ------------------------------------------------------------------------------------------------

    def picture_name(self) -> str:
        """Return a file name for a picture of the view: plate, well, site, and plane and time point if it matters."""
        plate, place = self._plate, self.view.place
        if plate is None or place is None:
            return "image.png"
        parts = [plate.source.name, place.well, "all_sites" if self._all_sites else f"s{place.site}"]
        parts += [f"z{place.z_index}"] if len(plate.z_indexes) > 1 else []
        parts += [f"t{place.timepoint}"] if len(plate.timepoints) > 1 else []
        if self.pinned is not None and self.pinned.place is not None:
            parts += ["and", self.pinned.place.well]
        return "_".join(parts) + ".png"

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        assert clipboard is not None
        clipboard.setPixmap(self._splitter.grab())
        self._status.setText("The picture is on the clipboard")

    def _save(self) -> None:
        dialog = QFileDialog(self, "Save the picture", str(Path.home() / self.picture_name()), "PNG (*.png)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("png")
        picture = self._splitter.grab()
        dialog.fileSelected.connect(lambda file: self.save_picture(file, picture))
        dialog.open()

    def save_picture(self, file: str, picture: object = None) -> None:
        """Write what the views show as a PNG file."""
        pixmap = self._splitter.grab() if picture is None else picture
        is_saved = pixmap.save(file, "PNG")  # type: ignore[attr-defined]
        self._status.setText(f"Saved {file}" if is_saved else f"{file} can't be written: choose another folder")

    # --- parts ---------------------------------------------------------------------------------------------------

    def _make_view(self) -> WellView:
        view = WellView(self.images, self.looks, self.outlines, self.viewport, self._drawing.run, self._show_problem)
        view.loaded.connect(self._on_loaded)
        view.picked.connect(self._on_picked)
        view.site_wanted.connect(lambda site: self._choose("site", site))
        view.canvas.hovered.connect(functools.partial(self._show_values, view))
        view.canvas.plane_wanted.connect(lambda by: self._step("z_index", by))
        return view

    def _show_values(self, view: WellView, point: QPointF | None) -> None:
        if point is None or self._plate is None:
            self._status.setText("")
            return
        size = self._plate.pixel_size_um
        at = f"x {int(point.x())}, y {int(point.y())} px"
        if size is not None:
            at += f" ({point.x() * size:.1f}, {point.y() * size:.1f} \u00b5m)"
        values = view.values_at(point)
        self._status.setText("   ".join([at, *(f"{name} {value}" for name, value in values)]) if values else "")

    def _show_problem(self, text: str) -> None:
        self._status.setText(text)

    def _add_commands(self) -> None:
        add = self._commands.add
        for keys, name, down, right in (
            ("Left", "left", 0, -1),
            ("Right", "right", 0, 1),
            ("Up", "above", -1, 0),
            ("Down", "below", 1, 0),
        ):
            move = functools.partial(self._step_well, down, right)
            add(f"well_{name}", f"Well {name}" if right == 0 else f"Well to the {name}", (keys,), move)
        add("site_before", "Site before", ("PgUp", "["), lambda: self._step("site", -1))
        add("site_after", "Site after", ("PgDown", "]"), lambda: self._step("site", 1))
        add("all_sites", "All sites", ("S",), lambda: self._choose_site(0))
        add("plane_up", "Plane above", ("Shift+Up",), lambda: self._step("z_index", -1), hidden=True)
        add("plane_down", "Plane below", ("Shift+Down",), lambda: self._step("z_index", 1), hidden=True)
        add("time_before", "Time point before", ("Shift+Left",), lambda: self._step("timepoint", -1), hidden=True)
        add("time_after", "Time point after", ("Shift+Right",), lambda: self._step("timepoint", 1), hidden=True)
        self._commands.separate()
        add("fit", "Fit into the view", ("Ctrl+0", "0"), self.viewport.fit)
        add("full", "One image pixel for one of the screen", ("Ctrl+Alt+0",), lambda: self.viewport.set_scale(1.0))
        add("zoom_in", "Zoom in", ("Ctrl++", "Ctrl+=", "+"), lambda: self.viewport.zoom(_ZOOM))
        add("zoom_out", "Zoom out", ("Ctrl+-", "-"), lambda: self.viewport.zoom(1 / _ZOOM))
        self._commands.separate()
        add("auto", "Automatic contrast", ("A",), lambda: self.looks.set_auto())
        add("brighter", "Brighter", ("B",), lambda: self.looks.brighten(_BRIGHTER))
        add("darker", "Darker", ("D",), lambda: self.looks.brighten(1 / _BRIGHTER))
        add("outlines", "Outlines on or off", ("O",), lambda: self.outlines.set_on(not self.outlines.are_on))
        self._commands.separate()
        add("compare", "Compare with another well or run", ("C",), lambda: self.compare(self.pinned is None))
        add("pin", "Pin this well", ("P",), self._pin)
        self._commands.separate()
        add("copy", "Copy the picture", ("Ctrl+C",), self._copy)
        add("save", "Save the picture...", ("Ctrl+Shift+S",), self._save)
        add("reload", "Read the folder again", ("F5",), self._reload)
        add("viewer", "Open in the viewer", (), lambda: self.viewer_wanted.emit(self._well))
        add("close", "Close the measurements", ("Esc",), self._close_table, hidden=True)
        for number in range(_KEYS):
            toggle = functools.partial(self._toggle_channel, number)
            add(f"channel_{number + 1}", f"Channel {number + 1}", (str(number + 1),), toggle, hidden=True)

    def _lay_out(self) -> None:
        self._sites = SiteBox()
        self._sites.site_chosen.connect(self._choose_site)
        self._planes, self._times = NumberSlider("Plane"), NumberSlider("Time point")
        self._planes.chosen.connect(lambda number: self._choose("z_index", number))
        self._times.chosen.connect(lambda number: self._choose("timepoint", number))
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(self.view)
        self._bar, self._table, self._status = OutlineBar(self.outlines), ObjectTable(), QElidingLabel()
        self._status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._table.closed.connect(self._close_table)
        self._table.closed.connect(self.view.canvas.setFocus)
        self._table.hide()
        self._strips = QVBoxLayout()
        box = QVBoxLayout(self)
        box.setContentsMargins(6, 6, 6, 6)
        box.setSpacing(4)
        box.addLayout(self._make_head())
        box.addWidget(self._splitter, 1)
        for widget in (self._status, self._planes, self._times, ChannelBar(self.looks), self._bar):
            box.addWidget(widget)
        box.addLayout(self._strips)
        box.addWidget(self._table)
        self.setFocusProxy(self.view.canvas)

    def _make_head(self) -> QHBoxLayout:
        self._instead = _button("Result", "Show the result of the step instead of the image")
        self._instead.setCheckable(True)
        self._instead.toggled.connect(lambda on: self.view.show_overlay_image(on))
        self._instead.hide()
        self._compare = _button("Compare", "Show another well, or another run, next to this one (C)")
        self._compare.setCheckable(True)
        self._compare.clicked.connect(self.compare)
        fit = _button("Fit", "Fit the image into the view (Ctrl+0)")
        fit.clicked.connect(self.viewport.fit)
        full = _button("1:1", "One pixel of the image for one of the screen (Ctrl+Alt+0)")
        full.clicked.connect(lambda: self.viewport.set_scale(1.0))
        more = _button("More", "All commands of the image, with their keys")
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(more)
        self._commands.fill(menu)
        more.setMenu(menu)
        head = QHBoxLayout()
        head.addWidget(self._sites)
        head.addStretch(1)
        for button in (self._instead, fit, full, self._compare, more):
            head.addWidget(button)
        return head


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setAutoRaise(True)
    return button
