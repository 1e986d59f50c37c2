"""Link between pipeline, images and live tuning: each edit is tried on the shown place, and its outlines are shown."""

from collections.abc import Callable
from typing import Any, Protocol

from PyQt6.QtCore import QObject, QSettings
from PyQt6.QtWidgets import QWidget

from openhcs_gui_services.services.images.overlay import Overlay
from openhcs_gui_services.services.images.source import ImagePlace, PlateSource
from openhcs_gui_services.services.tuning.tuner import Tuner
from openhcs_gui_services.services.tuning.values import Computing, TuningEvent, TuningRequest, TuningResult
from openhcs_gui_services.widgets.pipeline.pane import EMPTY_PIPELINE, PipelinePane
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget
from openhcs_gui_services.widgets.plates.run_phase import RunPhase
from openhcs_gui_services.widgets.tuning.strip import Compare, TuningStrip

__all__ = ["ImagesView", "PinnedView", "TuningLink", "link_tuning"]

_SWITCH = "tuning/preview"
_NO_PIPELINE = "No pipeline yet: add a step in the pane Pipeline"
_NO_PLATE = "Select a plate and a well in its map to see what the pipeline does there"
_NO_PLACE = "Show a single site of a well to see what the pipeline does there"


class PinnedView(Protocol):
    """A second view of the images pane."""

    @property
    def place(self) -> ImagePlace | None:
        """The field of view that it shows."""

    @property
    def source(self) -> PlateSource | None:
        """The plate that it is of, which may be another one."""

    def show_overlay(self, overlay: Overlay | None) -> None:
        """Draw labels over its image."""


class ImagesView(Protocol):
    """What live tuning needs of the images pane."""

    place_changed: Any
    """Signal with the :class:`ImagePlace` that is shown, or None."""
    place_pinned: Any
    """Signal with the :class:`ImagePlace` that was pinned, or None."""

    @property
    def place(self) -> ImagePlace | None:
        """The field of view that is shown; None if there is none."""

    @property
    def source(self) -> PlateSource | None:
        """The plate that is shown."""

    @property
    def pinned(self) -> PinnedView | None:
        """The second view; None if there is only one."""

    @property
    def shows_all_sites(self) -> bool:
        """Whether all sites of the well are shown at once."""

    def show_overlay(self, overlay: Overlay | None) -> None:
        """Draw labels over the image."""

    def offer_preview(self, is_on: bool) -> None:
        """Offer outlines of the preview among those of the runs, and choose them; or offer them no longer."""

    def add_strip(self, widget: QWidget) -> None:
        """Put a widget under the image."""


class TuningLink(QObject):
    """Tries each edit on the shown place while the switch of its strip is on.

    Args:
        images: the images pane, which gets the strip.
        plate_pipeline: returns the pipeline of the shown plate, as long as there is no pipeline pane.
        store: where the state of the switch is kept.
        tuner: makes the tuner, given what it calls.
        parent: owner of the link, such as the images pane.
    """

    def __init__(
        self,
        images: ImagesView,
        plate_pipeline: Callable[[], str],
        store: QSettings,
        tuner: Callable[[Callable[[TuningEvent], None]], Tuner] = Tuner,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._images = images
        self._plate_pipeline = plate_pipeline
        self._store = store
        self._tuner = tuner(self._on_event)
        self._pane: PipelinePane | None = None
        self._image_after: int | None = None
        self._asked: TuningRequest | None = None
        self._results: dict[ImagePlace, TuningResult] = {}
        self._earlier: TuningResult | None = None
        """The result of the shown place before an edit, while that of the edit is not there yet."""
        self.strip = TuningStrip()
        images.add_strip(self.strip)
        images.place_changed.connect(lambda _: self.update_preview())
        images.place_pinned.connect(lambda _: self.update_preview())
        self.strip.switched.connect(self._on_switched)
        self.strip.shown.connect(self.update_preview)
        self.strip.compare_changed.connect(lambda _: self._show_overlays())
        self.strip.image_chosen.connect(self._on_image)
        self.strip.set_on(store.value(_SWITCH, False, type=bool))

    @property
    def tuner(self) -> Tuner:
        """The tuner, which owns the preview process."""
        return self._tuner

    def set_pipeline_pane(self, pane: PipelinePane) -> None:
        """Follow the edits in a pane, which keeps what the edits of each plate are compared with."""
        self._pane = pane
        pane.source_changed.connect(lambda _: self.update_preview())
        pane.file_changed.connect(lambda _: self.update_preview())
        self.update_preview()

    def set_before(self) -> None:
        """Compare later edits with the pipeline as it is now, because it is run."""
        if self._pane is not None:
            self._pane.keep_reference()
        self.update_preview()

    def on_run(self, *, is_running: bool) -> None:
        """Compare later edits with what is run; after a run, try again, as it may have made a value of the plate."""
        if is_running:
            self.set_before()
        else:
            self._forget()
            self.update_preview()

    def update_preview(self) -> None:
        """Try the pipeline as it is now on what is shown now, if anything has changed."""
        if not self.strip.is_on or not self.strip.isVisible():
            return
        request = self._request()
        if request == self._asked:
            return
        self._take(request)
        if request is None:
            self._tuner.drop()
            self._show_overlays()
            self.strip.show_waiting(self._what_is_missing())
        else:
            self._tuner.ask(request)
            self._show_asked(request)

    def _take(self, request: TuningRequest | None) -> None:
        """Keep of the results so far what holds for a request, or what an edit of the same pipeline changes."""
        last = None if self._asked is None else self._results.get(self._asked.place, self._earlier)
        self._asked = request
        if request is None:
            self._results, self._earlier = {}, None
            return
        fitted = {place: result.fitted_to(request) for place, result in self._results.items()}
        self._results = {place: result for place, result in fitted.items() if result is not None}
        is_edit = last is not None and not last.request.is_of_other_images(request)
        self._earlier = last if is_edit and request.place not in self._results else None

    def _show_asked(self, request: TuningRequest) -> None:
        """Show at once what is known of a request, and nothing of others."""
        known = self._results.get(request.place)
        if known is None:
            self.strip.show_asked(self._earlier)
        else:
            self.strip.show_result(known)
        self._show_pinned(request)
        self._show_overlays()

    def _what_is_missing(self) -> str:
        if self._images.source is None:
            return _NO_PLATE
        if self._images.place is not None:
            return _NO_PIPELINE
        return _NO_PLACE if self._images.shows_all_sites else ""

    async def close(self) -> None:
        """End the preview process."""
        await self._tuner.close()

    # --- requests ------------------------------------------------------------------------------------------------

    def _request(self) -> TuningRequest | None:
        """Return what is to be tried; None if a place or a pipeline is missing."""
        place, source, pipeline = self._images.place, self._images.source, self._pipeline()
        if place is None or source is None or pipeline.strip() in ("", EMPTY_PIPELINE.strip()):
            return None
        path = None if self._pane is None else self._pane.path
        pinned = self._pinned_place()
        return TuningRequest(
            source=source,
            pipeline=pipeline,
            pipeline_file="" if path is None else str(path),
            place=place,
            pinned=pinned,
            before=pipeline if self._pane is None else self._pane.reference,
            image_after=self._image_after,
        )

    def _pinned_place(self) -> ImagePlace | None:
        """Return the pinned place of the shown plate."""
        pinned = self._images.pinned
        return None if pinned is None or pinned.source != self._images.source else pinned.place

    def _pipeline(self) -> str:
        return self._plate_pipeline() if self._pane is None else self._pane.source()

    def _on_switched(self, is_on: bool) -> None:
        self._store.setValue(_SWITCH, is_on)
        self._forget()
        self._images.offer_preview(is_on)
        if is_on:
            self.update_preview()
        else:
            self._tuner.drop()
            self._show_overlays()

    def _forget(self) -> None:
        """Forget what was asked for and found."""
        self._asked, self._results, self._earlier = None, {}, None

    def _on_image(self, number: int | None) -> None:
        self._image_after = number
        self.update_preview()

    # --- results -------------------------------------------------------------------------------------------------

    def _on_event(self, event: TuningEvent) -> None:
        if event.request is not self._asked:
            return
        if isinstance(event, Computing):
            self.strip.show_computing()
            self._show_overlays()
            return
        self._results[event.place] = event
        if event.place == event.request.place:
            self._earlier = None
            self.strip.show_result(event)
        self._show_pinned(event.request)
        self._show_overlays()

    def _show_pinned(self, request: TuningRequest) -> None:
        self.strip.show_pinned(None if request.pinned is None else self._results.get(request.pinned))

    def _earlier_of(self, place: ImagePlace) -> TuningResult | None:
        """Return the result before the edit if it is of this place."""
        return self._earlier if self._earlier is not None and self._earlier.place == place else None

    def _show_overlays(self) -> None:
        request = self._asked
        shown = None if request is None else self._results.get(request.place, self._earlier)
        self._images.show_overlay(None if shown is None else _overlay(shown, self.strip.wanted))
        pinned = self._images.pinned
        if pinned is not None:
            place = self._pinned_place()
            result = None if place is None else self._results.get(place, self._earlier_of(place))
            pinned.show_overlay(None if result is None else _overlay(result, self.strip.wanted))


def link_tuning(images: ImagesView, manager: PlateManagerWidget, store: QSettings) -> TuningLink:
    """Let edits be tried on what the images pane of a window shows, and follow the runs of the window.

    Args:
        images: the images pane, which owns the link.
        manager: the plates.
        store: where the state of the switch is kept.
    """
    parent = images if isinstance(images, QObject) else None
    link = TuningLink(images, lambda: manager.current.pipeline if manager.current else "", store, parent=parent)

    def follow(phase: RunPhase) -> None:
        if phase in (RunPhase.AT_WORK, RunPhase.IDLE):
            link.on_run(is_running=phase is RunPhase.AT_WORK)

    manager.phase_changed.connect(follow)
    return link


def _overlay(result: TuningResult, compare: Compare) -> Overlay:
    """Return what is drawn: the outlines that are wanted, and the image of the step that was chosen."""
    before = {} if result.before is None else dict(result.before.labels)
    labels = dict(result.labels)
    if compare is Compare.BEFORE and result.before is not None:
        labels = before
    elif compare is Compare.BOTH:
        labels |= {f"{name} before": plane for name, plane in before.items()}
    return Overlay("Preview", labels, result.image, result.after.image_title[:1].upper() + result.after.image_title[1:])
