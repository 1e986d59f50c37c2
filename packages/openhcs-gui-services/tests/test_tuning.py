"""Live tuning: an edit in the pipeline pane appears as outlines and counts; the newest edit wins."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QObject, QSettings, Qt, pyqtSignal
from PyQt6.QtWidgets import QWidget

from openhcs_gui_services import ImagesPane, MainWindow, PipelinePane
from openhcs_gui_services.services.images.overlay import Overlay
from openhcs_gui_services.services.images.source import ImagePlace, PlateSource
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.services.tuning.presenter import EARLIER, counts_text, image_choices, problem_text, steps_text
from openhcs_gui_services.services.tuning.tuner import Tuner
from openhcs_gui_services.services.tuning.values import Computing, TuningEvent, TuningRequest, TuningResult
from openhcs_gui_services.widgets.tuning.details import DetailsDialog
from openhcs_gui_services.widgets.tuning.strip import Compare, TuningStrip
from openhcs_gui_services.window.panes import IMAGES, PIPELINE as PIPELINE_PANE, WindowPanes
from openhcs_gui_services.window.tuning_link import TuningLink
from openhcs_runtime.plates import make_plate
from openhcs_runtime.preview import PreviewProblem, PreviewRequest, PreviewResult, PreviewStep

PIPELINE = """from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import segment_nuclei

pipeline_steps = [FunctionStep((segment_nuclei, {"diameter_px": 20.0, "factor": 1.0}), name="Segment")]
"""
PLACE = ImagePlace("A01")
PORT = 7894


def _request(pipeline: str = PIPELINE, **more: Any) -> TuningRequest:
    return TuningRequest(PlateSource("/plates/p"), pipeline, "", PLACE, **more)


def _preview(nuclei: int, **more: Any) -> PreviewResult:
    steps = (PreviewStep(1, "Segment", 0.5), PreviewStep(2, "Measure", None))
    labels = {"nuclei": np.full((2, 2), nuclei)}
    return PreviewResult(labels=labels, counts={"nuclei": nuclei}, steps=steps, seconds=0.5, **more)


class _Client:
    """Previews that end when a test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[PreviewRequest, Future[PreviewResult]]] = []
        self.changed = asyncio.Event()

    def ask(self, request: PreviewRequest) -> "Future[PreviewResult]":
        self.asked.append((request, Future()))
        self.changed.set()
        return self.asked[-1][1]

    async def next(self) -> tuple[PreviewRequest, "Future[PreviewResult]"]:
        await asyncio.wait_for(self.changed.wait(), 10)
        self.changed.clear()
        return self.asked[-1]

    def close(self) -> None:
        """Nothing to end."""


def test_only_the_newest_request_is_told_about() -> None:
    async def edit() -> None:
        events: asyncio.Queue[TuningEvent] = asyncio.Queue()
        client = _Client()
        tuner = Tuner(events.put_nowait, client, debounce_seconds=0)  # type: ignore[arg-type]
        first, second = _request("one"), _request("two", before="zero", pinned=ImagePlace("B03", 2))
        tuner.ask(first)
        _, old = await client.next()
        computing = await asyncio.wait_for(events.get(), 10)
        assert computing == Computing(first)
        tuner.ask(second)
        for pipeline, well, count in (("two", "A01", 5), ("two", "B03", 7), ("zero", "A01", 4), ("zero", "B03", 6)):
            asked, future = await client.next()
            assert (asked.pipeline, asked.well) == (pipeline, well)
            future.set_result(_preview(count))
        assert old.cancelled()
        told = [await asyncio.wait_for(events.get(), 10) for _ in range(4)]
        found = [
            (one.place.well, dict(one.counts), one.before and dict(one.before.counts))
            for one in told
            if isinstance(one, TuningResult)
        ]
        assert found == [
            ("A01", {"nuclei": 5}, None),
            ("B03", {"nuclei": 7}, None),
            ("A01", {"nuclei": 5}, {"nuclei": 4}),
            ("B03", {"nuclei": 7}, {"nuclei": 6}),
        ]
        await tuner.close()
        assert events.empty()

    asyncio.run(edit())


def test_texts_of_a_result() -> None:
    result = TuningResult(_request(), PLACE, _preview(1430, printed=("hello",)), _preview(128))
    assert counts_text(result) == "nuclei 1,430 (before 128)"
    assert image_choices(result) == [(0, "Plate"), (1, "After 1. Segment"), (2, "After 2. Measure")]
    assert steps_text(result) == "1. Segment: 0.50 s\n2. Measure: not reached\n\nhello"


@pytest.fixture
def strip(qtbot: Any) -> TuningStrip:
    strip = TuningStrip()
    strip.resize(420, 120)
    qtbot.addWidget(strip)
    strip.show()
    return strip


def test_the_strip_by_mouse_and_keys(strip: TuningStrip, qtbot: Any) -> None:
    qtbot.keyClick(strip, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert strip.is_on
    strip.show_result(TuningResult(_request(), PLACE, _preview(143), _preview(128)))
    assert strip.counts == "nuclei 143 (before 128)"
    with qtbot.waitSignal(strip.compare_changed):
        qtbot.keyClick(strip, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert strip.wanted is Compare.BEFORE
    strip.show_result(TuningResult(_request(), PLACE, _preview(143)))
    problem = PreviewProblem("step 1 'Segment': too dark: change this step", 1, "Traceback ...")
    strip.show_result(TuningResult(_request(), PLACE, PreviewResult(problem=problem)))
    assert strip.message == problem.text
    qtbot.mouseClick(strip.message_button, Qt.MouseButton.LeftButton)
    (dialog,) = strip.findChildren(DetailsDialog)
    assert dialog.isVisible()
    dialog.reject()


class _Images(QObject):
    """An images pane that shows what a test says."""

    place_changed, place_pinned = pyqtSignal(object), pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self.place: ImagePlace | None = PLACE
        self.source: PlateSource | None = PlateSource("/plates/p")
        self.pinned = None
        self.shows_all_sites = False
        self.overlay: Overlay | None = None
        self.strip: QWidget | None = None

    def show_overlay(self, overlay: Overlay | None) -> None:
        self.overlay = overlay

    def offer_preview(self, is_on: bool) -> None:
        """Nothing to choose from."""

    def add_strip(self, widget: QWidget) -> None:
        self.strip = widget

    def go(self, source: str, place: ImagePlace | None) -> None:
        self.source, self.place = PlateSource(source), place
        self.place_changed.emit(place)


class _Pane(QObject):
    """Has a text, and what its edits are compared with."""

    source_changed = pyqtSignal(str)
    file_changed = pyqtSignal(object)
    path = None

    def __init__(self) -> None:
        super().__init__()
        self.text = self.reference = PIPELINE

    def source(self) -> str:
        return self.text

    def keep_reference(self) -> None:
        self.reference = self.text


class _Tuner:
    """Answers when a test says so."""

    def __init__(self, tell: Callable[[TuningEvent], None]) -> None:
        self.tell = tell
        self.asked: TuningRequest | None = None

    def ask(self, request: TuningRequest) -> None:
        self.asked = request

    def drop(self) -> None:
        """Nothing is computed."""

    def answer(self, nuclei: int) -> None:
        assert self.asked is not None
        self.tell(TuningResult(self.asked, self.asked.place, _preview(nuclei)))


@pytest.mark.parametrize("change", ["well", "plate", "pipeline", "edit"])
def test_nothing_of_an_earlier_request_is_shown_as_that_of_the_next(qtbot: Any, tmp_path: Path, change: str) -> None:
    images, pane = _Images(), _Pane()
    store = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    link = TuningLink(images, lambda: PIPELINE, store, _Tuner)  # type: ignore[arg-type]
    link.set_pipeline_pane(pane)  # type: ignore[arg-type]
    tuner: Any = link.tuner
    strip = link.strip
    qtbot.addWidget(strip)
    strip.show()
    strip.set_on(True)
    tuner.answer(143)
    assert (strip.counts, strip.are_counts_current) == ("nuclei 143", True)
    if change == "well":
        images.go("/plates/p", ImagePlace("A02"))
    elif change == "plate":
        images.go("/plates/q", None)
        assert not strip.message, "the plate is being read"
        images.go("/plates/q", PLACE)
    else:
        pane.text = PIPELINE.replace("20.0", "10.0")
        if change == "pipeline":
            link.set_before()
        else:
            link.update_preview()
    tuner.tell(Computing(tuner.asked))
    assert not strip.are_counts_current
    assert strip.counts == (f"nuclei 143 {EARLIER}" if change == "edit" else "\u2026")
    assert (images.overlay is not None) == (change == "edit")
    tuner.answer(7)
    assert (strip.counts, strip.are_counts_current) == ("nuclei 7", True)


def test_problems_of_a_preview_are_in_the_words_of_the_window() -> None:
    text = "step 1 'Count': several channels (1, 2): choose one with --channel, or as the key in the pipeline file"
    result = TuningResult(_request(), PLACE, PreviewResult(problem=PreviewProblem(text, 1)))
    assert not re.search(r"--|\bkey\b", problem_text(result))
    text = "step 1 'Count': func has a key '4', but the plate has no such channel (it has '1', '2')"
    result = TuningResult(_request(), PLACE, PreviewResult(problem=PreviewProblem(text, 1)))
    assert problem_text(result) == "step 1 'Count': the plate has no channel 4: choose one of '1', '2'"


async def _until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, for which there is no signal."""
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.01)


def test_an_edit_in_the_window_appears_over_the_image(
    qtbot: Any, qt_loop: qasync.QEventLoop, tmp_path: Path, isolated_home: Path
) -> None:
    plate = str(make_plate(tmp_path / "plate", wells=2, sites=1, channels=1, size=128))
    store = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)

    async def edit() -> None:
        workspace = PlateWorkspace(PORT, memory=isolated_home / "memory", default_pipeline=PIPELINE)
        window = MainWindow(workspace, store, WindowPanes(workspace, store, None, PORT))
        qtbot.addWidget(window)
        window.show()
        try:
            await _tune(window, plate, qtbot)
        finally:
            await window.end()
            await workspace.close()

    qt_loop.run_until_complete(edit())
    assert store.value("tuning/preview", type=bool) is True
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    assert not [child for child in alive if "preview" in " ".join(child.cmdline())]


async def _tune(window: MainWindow, plate: str, qtbot: Any) -> None:
    """Switch the preview on, edit, compare, make a mistake, and pin a well."""
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    window.manager.add_plates([plate])
    images, pipeline = window.show_pane(IMAGES), window.show_pane(PIPELINE_PANE)
    assert isinstance(images, ImagesPane)
    assert isinstance(pipeline, PipelinePane)
    window.show_pane(IMAGES)
    (strip,) = images.findChildren(TuningStrip)
    shown = _recorded(images)
    await _until(lambda: images.place is not None and pipeline.source() == PIPELINE)
    qtbot.keyClick(window, Qt.Key.Key_T, control)
    await _until(lambda: strip.counts.startswith("nuclei"))
    count = int(strip.counts.removeprefix("nuclei "))
    pipeline.editor.replace_text(PIPELINE.replace('"factor": 1.0', '"factor": 30.0'))
    await _until(lambda: f"(before {count})" in strip.counts)
    after = _outlined(shown)
    assert after < count
    qtbot.mousePress(strip.before_button, Qt.MouseButton.LeftButton)
    assert _outlined(shown) == count
    qtbot.mouseRelease(strip.before_button, Qt.MouseButton.LeftButton)
    qtbot.keyClick(window, Qt.Key.Key_T, control | shift)
    assert _outlined(shown) == after
    qtbot.mouseClick(strip.both_button, Qt.MouseButton.LeftButton)
    assert _outlined(shown, "nuclei before") == count
    images.compare(True)
    window.manager.select_well(plate, "A02")
    await _until(
        lambda: (
            "A01, site 1: nuclei" in strip.pinned_counts
            and "(before" in strip.pinned_counts
            and "before" in strip.counts
        )
    )
    pipeline.editor.replace_text(PIPELINE.replace("1.0", "'x'"))
    await _until(lambda: strip.message.startswith("step 1 'Segment': segment_nuclei failed"))
    qtbot.keyClick(window, Qt.Key.Key_T, control)
    assert shown[-1] is None
    qtbot.keyClick(window, Qt.Key.Key_T, control)


def _recorded(images: ImagesPane) -> list[Overlay | None]:
    """Return what is put over the image from now on, the latest last."""
    shown: list[Overlay | None] = []
    show = images.show_overlay

    def record(overlay: Overlay | None) -> None:
        shown.append(overlay)
        show(overlay)

    images.show_overlay = record  # type: ignore[method-assign]
    return shown


def _outlined(shown: list[Overlay | None], name: str = "nuclei") -> int:
    """Return the number of objects that a preview has put over the image."""
    overlay = shown[-1]
    return 0 if overlay is None else int(overlay.labels[name].max())
