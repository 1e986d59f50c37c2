"""One view of a well: its picture and outlines with a title, and which run the outlines are of."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QPointF, QSizeF, Qt, QTimer, pyqtSignal as Signal
from PyQt6.QtWidgets import QBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget
from superqt import QElidingLabel

from openhcs_gui_services.services.images.latest import LatestTask
from openhcs_gui_services.services.images.layers import ImageLayer
from openhcs_gui_services.services.images.overlay import Overlay
from openhcs_gui_services.services.images.reader import PlateImages
from openhcs_gui_services.services.images.source import ImagePlace, PlateSource
from openhcs_gui_services.widgets.images.canvas import ImageCanvas, Render
from openhcs_gui_services.widgets.images.drawing import (
    Drawing,
    Ring,
    grey_layer,
    image_layers,
    missing_sites,
    outline_layers,
)
from openhcs_gui_services.widgets.images.looks import ChannelLooks
from openhcs_gui_services.widgets.images.outlines import OutlineLooks
from openhcs_gui_services.widgets.images.picked import PickedObject, object_at
from openhcs_gui_services.widgets.images.run_box import RunBox, RunChoice
from openhcs_gui_services.widgets.images.viewport import Viewport
from openhcs_runtime.exceptions import OpenHCSError

if TYPE_CHECKING:
    from openhcs_gui_services.services.images.opened import OpenPlate
    from openhcs_gui_services.services.images.picture import LabelSet, Picture

__all__ = ["WellView"]

_MARGIN = 6
_PATIENCE_MS = 120
"""From then on a picture that is no longer the wanted one is drawn faintly."""


class WellView(QWidget):
    """Shows a field of view, or all sites of a well, with outlines of a run and of an overlay.

    Args:
        images: reads the images; the caller closes it.
        looks: how channels are shown.
        outlines: how outlines are shown.
        viewport: what part is seen.
        render: composes in a thread.
        on_error: called with one line for the user when something unexpected fails.
        parent: the parent widget.
    """

    loaded = Signal()
    """Another picture is shown, or other labels."""
    picked = Signal(object)
    """The :class:`PickedObject` that was clicked; None for the background."""
    site_wanted = Signal(int)
    """A site of the mosaic was double-clicked."""

    def __init__(
        self,
        images: PlateImages,
        looks: ChannelLooks,
        outlines: OutlineLooks,
        viewport: Viewport,
        render: Render,
        on_error: Callable[[str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._images, self._looks, self._outlines, self._viewport = images, looks, outlines, viewport
        self._plate: OpenPlate | None = None
        self._wanted: tuple[ImagePlace, bool] | None = None
        self._run: Path | None = None
        self._picture: Picture | None = None
        self._sets: Mapping[str, LabelSet] = {}
        self._problem = self._heading = self._changed = ""
        self._head = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._are_labels_read = False
        self._overlay: Overlay | None = None
        self._is_overlay_image = False
        self._picked: tuple[str, int] | None = None
        self._picked_at: QPointF | None = None
        self._wanted_object: tuple[ImagePlace, str, int] | None = None
        self._ring: Ring | None = None
        self._loading = LatestTask(self._show_problem, "Reading images")
        self._labelling = LatestTask(self._show_problem, "Reading labels")
        self.canvas = ImageCanvas(viewport, render, on_error)
        self._title, self._runs, self._note = QElidingLabel(), RunBox(), QLabel()
        self._is_trial = False
        """Whether the preview is offered only because an overlay was given."""
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self.canvas.fade)
        self._lay_out()
        self.canvas.clicked.connect(self._pick)
        self.canvas.double_clicked.connect(self._open_site)
        self._runs.chosen.connect(self._on_chosen)
        looks.changed.connect(self._on_looks)
        outlines.changed.connect(self.refresh)

    # --- what is shown -------------------------------------------------------------------------------------------

    @property
    def plate(self) -> "OpenPlate | None":
        """The plate."""
        return self._plate

    @property
    def source(self) -> PlateSource | None:
        """What the plate was opened from."""
        return None if self._plate is None else self._plate.source

    @property
    def place(self) -> ImagePlace | None:
        """The field of view that is shown or being read."""
        return None if self._wanted is None else self._wanted[0]

    @property
    def picture(self) -> "Picture | None":
        """The picture; None while there is none."""
        return self._picture

    @property
    def sets(self) -> "Mapping[str, LabelSet]":
        """The labels of the run, by set."""
        return self._sets

    @property
    def set_names(self) -> tuple[str, ...]:
        """The sets of objects that are there, with those of the overlay."""
        overlay = self._drawn_overlay
        return tuple(self._drawn_sets if overlay is None else overlay.labels)

    @property
    def shows_all_sites(self) -> bool:
        """Whether all sites of the well are shown at once."""
        return self._wanted is not None and self._wanted[1]

    @property
    def is_preview(self) -> bool:
        """Whether the outlines are those of the preview, also while it is computed."""
        return self._runs.is_preview

    @property
    def outlines_of(self) -> str:
        """What the list says that the outlines are of."""
        return self._runs.currentText()

    @property
    def run_box(self) -> RunBox:
        """The list of runs."""
        return self._runs

    @property
    def title(self) -> str:
        """The title as it is shown if there is room."""
        return self._title.text()

    @property
    def picked_at(self) -> QPointF | None:
        """The point of the view where an object was picked."""
        return self._picked_at

    @property
    def run(self) -> Path | None:
        """The run whose outlines are shown."""
        return self._run

    @property
    def problem(self) -> str:
        """What could not be read, and whether the images have changed since the run; empty if all is well."""
        return " ".join(filter(None, (self._problem, self._changed)))

    def show_place(self, plate: "OpenPlate", place: ImagePlace, *, all_sites: bool = False) -> None:
        """Show a field of view, or all sites of its well."""
        is_other = self._wanted is None or self._plate is not plate or self._wanted != (place, all_sites)
        self._plate, self._wanted = plate, (place, all_sites)
        if is_other:
            self._overlay = None
            self._end_pick()
            self._patience.start()
        self._show_title()
        self._loading.start(self._load(plate, place, all_sites))

    def show_text(self, text: str) -> None:
        """Show a text and no picture."""
        self._loading.cancel()
        self._labelling.cancel()
        self._patience.stop()
        self._end_pick()
        self._plate = self._wanted = self._picture = self._overlay = None
        self._sets = {}
        self._title.setText("")
        self._runs.hide()
        self._set_problem("")
        self.canvas.show_text(text)
        self.loaded.emit()

    def set_runs(self, runs: tuple[RunChoice, ...], run: Path | None) -> None:
        """Offer these runs for the outlines, and choose one; the preview stays chosen if it is."""
        self._runs.set_runs(runs)
        self.set_run(run)

    def set_run(self, run: Path | None) -> None:
        """Show the outlines of this run, once those of the preview are no longer chosen."""
        if not self._runs.is_preview:
            self._runs.choose(run)
        if run != self._run:
            self._run = run
            if not self._runs.is_preview:
                self._end_pick()
            self.reload_labels()

    def choose_run(self, run: Path | None) -> None:
        """Show the outlines of this run instead of those of the preview, as a choice in the list does."""
        was_preview = self._runs.is_preview
        self._runs.choose(run)
        if was_preview:
            self._end_pick()
        self.set_run(run)
        self.refresh()
        self.loaded.emit()

    def offer_preview(self, is_on: bool) -> None:
        """Offer the outlines of a preview among those of the runs, and choose them; or offer them no longer."""
        self._is_trial = False
        if is_on != self._runs.has_preview:
            self._end_pick()
            self._runs.offer_preview(is_on, self._run)
            self.refresh()
            self.loaded.emit()

    def show_overlay(self, overlay: Overlay | None) -> None:
        """Draw these labels instead of those of the run, unless a run is chosen; another field of view ends it."""
        is_trial = overlay is not None and not self._runs.has_preview
        if is_trial or (self._is_trial and overlay is None):
            self.offer_preview(is_trial)
            self._is_trial = is_trial
        if overlay is not self._overlay and self._runs.is_preview:
            self._end_pick()
        self._overlay = overlay
        self.refresh()
        self.loaded.emit()

    def show_overlay_image(self, is_shown: bool) -> None:
        """Show the image of the overlay instead of the channels, or the channels."""
        self._is_overlay_image = is_shown
        self.refresh()

    def show_object(self, place: ImagePlace, name: str, label: int) -> None:
        """Show an object in the middle with a ring, once its labels have been read."""
        self._wanted_object = place, name, label
        if self._runs.is_preview:
            self.choose_run(self._run)
        self._find_object()

    def set_heading(self, text: str) -> None:
        """Set what this view is for, after the name of the well."""
        self._heading = text
        self._show_title()

    def set_narrow(self, is_narrow: bool) -> None:
        """Put the list of runs below the title instead of next to it."""
        direction = QBoxLayout.Direction
        self._head.setDirection(direction.TopToBottom if is_narrow else direction.LeftToRight)

    def values_at(self, point: QPointF) -> list[tuple[str, str]]:
        """Return name and value of each channel at a point of the picture, then the objects there."""
        picture = self._picture
        if picture is None or self._plate is None:
            return []
        row, column = int(point.y() // picture.size), int(point.x() // picture.size)
        found = []
        names = {channel.number: channel.name for channel in self._plate.channels}
        for look in self._looks.shown:
            plane = picture.planes.get(look.channel.number)
            if plane is not None and 0 <= row < plane.plane.shape[0] and 0 <= column < plane.plane.shape[1]:
                found.append((names.get(look.channel.number, ""), f"{plane.plane[row, column]:.6g}"))
        if picked := self._object_at(point):
            found.append((picked.name, str(picked.label)))
        return found

    async def close_reads(self) -> None:
        """Cancel what is being read."""
        self._patience.stop()
        await self.canvas.close_reads()
        await self._loading.close()
        await self._labelling.close()

    # --- reading -------------------------------------------------------------------------------------------------

    async def _load(self, plate: "OpenPlate", place: ImagePlace, all_sites: bool) -> None:
        # Image libraries, which opening the plate has loaded in a thread.
        from openhcs_gui_services.services.images.picture import load_all_sites, load_site  # noqa: PLC0415

        known = {channel.number for channel in plate.channels}
        numbers = [look.channel.number for look in self._looks.shown if look.channel.number in known]
        load = load_all_sites if all_sites else load_site
        try:
            picture = await load(self._images, plate, place, numbers)
        except OpenHCSError as error:
            self._fail(f"{str(error)[:1].upper()}{str(error)[1:]}.")
            return
        self._patience.stop()
        is_other = self._picture is None or self._picture.place != place
        self._picture = picture
        self._sets = {} if is_other or all_sites else self._sets
        self._are_labels_read = False
        self._set_problem(" ".join(picture.problems))
        for number, plane in picture.planes.items() if self._looks.are_of(plate.source) else ():
            self._looks.add_sample(number, f"{place.well} {place.site}", plane.sample)
        self.refresh()
        self.loaded.emit()
        self.reload_labels()

    def _fail(self, text: str) -> None:
        self._patience.stop()
        self._picture, self._sets = None, {}
        self._set_problem(text)
        self.canvas.show_text(text)
        self.loaded.emit()

    def reload_labels(self) -> None:
        """Read the labels of the shown field of view, such as after a run has written them."""
        picture, run = self._picture, self._run
        if picture is None or run is None or picture.plan is not None:
            self._labelling.cancel()
            if self._sets:
                self._sets = {}
                self.refresh()
                self.loaded.emit()
        else:
            assert self._plate is not None
            self._labelling.start(self._load_labels(run, self._plate, picture))

    async def _load_labels(self, run: Path, plate: "OpenPlate", picture: "Picture") -> None:
        from openhcs_gui_services.services.images.picture import load_labels  # noqa: PLC0415  as above

        sets, problem = await load_labels(self._images, run, picture.place)
        if picture is not self._picture:
            return
        fitting = {name: one for name, one in sets.items() if one.labels.shape == picture.shape}
        if (
            self._picked is not None
            and not self._runs.is_preview
            and not _is_same(self._sets, fitting, self._picked[0])
        ):
            self._end_pick()
        self._sets = fitting
        self._are_labels_read = True
        if len(self._sets) < len(sets):
            problem = f"{problem} Labels of another size than the image are left out: they are of another plate."
        self._set_problem(" ".join(filter(None, (*picture.problems, problem.strip()))))
        self.refresh()
        self.loaded.emit()
        self._find_object()
        if self._sets:
            await self._look_for_changes(run, plate, picture)

    async def _look_for_changes(self, run: Path, plate: "OpenPlate", picture: "Picture") -> None:
        """Say that the shown outlines are of other images than these, if they are."""
        from openhcs_gui_services.services.images.changed import CHANGED, are_images_changed  # noqa: PLC0415  as above

        call = functools.partial(are_images_changed, run, plate, picture.place)
        try:
            is_changed = await self._images.call(("changed", run, plate.source, picture.place), call, later=True)
        except OpenHCSError as error:
            self._set_problem(f"{str(error)[:1].upper()}{str(error)[1:]}.")
            return
        if is_changed and picture is self._picture and run == self._run:
            self._changed = CHANGED
            self._show_note()
            self.loaded.emit()

    # --- drawing -------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Draw the picture as channels and outlines are to be shown now."""
        picture, plate = self._picture, self._plate
        if picture is None or plate is None:
            return
        if not picture.planes:
            shown = self._looks.shown
            self.canvas.show_text(self._problem if shown else "All channels are off: press 1 to show the first one.")
            return
        overlay = self._drawn_overlay
        if overlay is not None and overlay.image is not None and self._is_overlay_image:
            layers: tuple[ImageLayer, ...] = (grey_layer(overlay.image),)
        else:
            layers = image_layers(picture, self._looks)
        outlines = outline_layers(picture.shape, self._drawn_sets, overlay, self._outlines, self._picked)
        size, notes = plate.pixel_size_um, missing_sites(picture)
        self.canvas.show_drawing(Drawing(picture.shape, layers, outlines, size, notes, self._ring))

    @property
    def _drawn_overlay(self) -> Overlay | None:
        """The overlay, if it is chosen and the picture that it belongs to is there."""
        picture, wanted = self._picture, self._wanted
        is_here = picture is not None and wanted is not None and picture.place == wanted[0]
        return self._overlay if is_here and self._runs.is_preview else None

    @property
    def _drawn_sets(self) -> "Mapping[str, LabelSet]":
        """The labels of the run, unless the preview is chosen."""
        return {} if self._runs.is_preview else self._sets

    def _on_looks(self) -> None:
        """Draw with other colours; channels that were off have to be read first."""
        picture, plate = self._picture, self._plate
        if picture is not None and plate is not None and self._wanted is not None:
            known = {channel.number for channel in plate.channels}
            wanted = {look.channel.number for look in self._looks.shown} & known
            if not wanted <= picture.planes.keys() and not picture.problems:
                self._loading.start(self._load(plate, *self._wanted))
        self.refresh()

    # --- objects -------------------------------------------------------------------------------------------------

    def _pick(self, point: QPointF) -> None:
        self.canvas.setFocus(Qt.FocusReason.MouseFocusReason)
        picked = self._object_at(point)
        self._ring, self._picked_at = None, self._viewport.to_view(point, QSizeF(self.canvas.size()))
        self._picked = None if picked is None else (picked.name, picked.label)
        self.refresh()
        self.picked.emit(picked)

    def unpick(self) -> None:
        """Draw no object as picked."""
        self._picked = self._ring = None
        self.refresh()

    def _object_at(self, point: QPointF) -> PickedObject | None:
        return object_at(point, self._drawn_sets, self._run, self._drawn_overlay, self._outlines)

    def _end_pick(self) -> None:
        """Tell that the picked object is no longer shown."""
        was_picked = self._picked is not None
        self._picked = self._ring = None
        if was_picked:
            self.picked.emit(None)

    def _on_chosen(self) -> None:
        """Show the entry of the list that the user has chosen, and give the keys back to the picture."""
        if self._runs.is_preview:
            self._end_pick()
            self.refresh()
            self.loaded.emit()
        else:
            self.choose_run(self._runs.run)
        self._show_note()
        self.canvas.setFocus()

    def _find_object(self) -> None:
        from openhcs_gui_services.services.images.objects import object_box  # noqa: PLC0415  as above

        wanted, picture = self._wanted_object, self._picture
        if wanted is None or picture is None or picture.place != wanted[0]:
            return
        _, name, label = wanted
        if name not in self._sets:
            if self._are_labels_read:
                self._wanted_object = None
                self._set_problem(f"The shown run has no outlines of {name} in this image.")
            return
        self._wanted_object = None
        one = self._sets[name]
        box = object_box(one.labels, label)
        if box is None:
            self._set_problem(f"There is no object {label} of {name} in this image: the run was made again.")
            return
        top, left, bottom, right = box
        self._picked, self._picked_at = (name, label), None
        radius = max(bottom - top, right - left) / 2 + 1
        self._ring = Ring((top + bottom + 1) / 2, (left + right + 1) / 2, radius)
        edge = max(1.0, min(self.canvas.width(), self.canvas.height()) / (8 * radius))
        self._viewport.show(QPointF(self._ring.column, self._ring.row), max(edge, self._viewport.scale))
        self.refresh()
        self.picked.emit(PickedObject(name, label, one, self._run))

    def _open_site(self, point: QPointF) -> None:
        plan = None if self._picture is None else self._picture.plan
        site = None if plan is None else plan.site_at(point.y(), point.x())
        if site is not None:
            self.site_wanted.emit(site)

    # --- parts ---------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._title.setElideMode(Qt.TextElideMode.ElideMiddle)
        self._title.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._note.setWordWrap(True)
        self._note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._note.hide()
        head = self._head
        head.addWidget(self._title, 1)
        head.addWidget(self._runs, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(3)
        box.addLayout(head)
        box.addWidget(self._note)
        box.addWidget(self.canvas, 1)

    def _show_title(self) -> None:
        text = ""
        if self._plate is not None and self._wanted is not None:
            place, all_sites = self._wanted
            first = f"{place.well} {self._heading}".strip()
            self._title.setMinimumWidth(self._title.fontMetrics().horizontalAdvance(f"{first} \u2026") + _MARGIN)
            parts = [first, "all sites" if all_sites else f"site {place.site}"]
            parts += [f"z {place.z_index}"] if len(self._plate.z_indexes) > 1 else []
            parts += [f"time {place.timepoint}"] if len(self._plate.timepoints) > 1 else []
            text = " \u00b7 ".join([*parts, self._plate.source.name])
        self._title.setText(text)
        self._title.setToolTip(text)
        self.canvas.setAccessibleName(f"Image of {text}" if text else "Image")

    def _show_problem(self, text: str) -> None:
        self._fail(text)

    def _set_problem(self, text: str) -> None:
        self._problem, self._changed = text, ""
        self._show_note()

    def _show_note(self) -> None:
        """Show what is wrong, above the picture; what is wrong with outlines of a run only if they are drawn."""
        text = " ".join(filter(None, (self._problem, "" if self._runs.is_preview else self._changed)))
        self._note.setText(text)
        has_image = self._picture is not None and bool(self._picture.planes)
        self._note.setVisible(bool(text) and has_image)


def _is_same(before: "Mapping[str, LabelSet]", now: "Mapping[str, LabelSet]", name: str) -> bool:
    """Return whether a set of objects is still in the same file with the same content."""
    return name in before and name in now and before[name].of == now[name].of
