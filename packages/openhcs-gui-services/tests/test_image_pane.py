"""The image view with real plates, mouse and keys: moving, channels, outlines, objects, two wells, problems."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QPoint, QPointF, QSizeF, Qt, pyqtBoundSignal
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication, QCheckBox, QTableWidget
from pytestqt.qtbot import QtBot

from openhcs_gui_services import ImagePlace, ImagesPane, Overlay, PlateSource
from openhcs_gui_services.services.images.changed import are_images_changed
from openhcs_gui_services.widgets.images.canvas import ImageCanvas
from openhcs_gui_services.widgets.images.picked import PickedObject
from openhcs_gui_services.widgets.images.run_box import RunBox, RunChoice
from openhcs_gui_services.widgets.images.scale_bar import bar_length, length_text
from openhcs_gui_services.widgets.images.well_view import WellView
from openhcs_runtime import Component, ExecutionMode, FunctionStep, GlobalConfig, PipelineOrchestrator
from openhcs_runtime.functions import measure_objects, segment_nuclei
from openhcs_runtime.plates import make_plate
from openhcs_runtime.tables.read import open_results

pytestmark = pytest.mark.usefixtures("no_leaks", "isolated_home")

SECONDS = 60.0
MEASURE: dict[str | int, Any] = {1: (measure_objects, {"name": "nuclei"})}
Scene = Callable[[ImagesPane], Coroutine[Any, Any, None]]


@pytest.fixture
def play(qt_loop: qasync.QEventLoop, qtbot: QtBot) -> Callable[[Scene], None]:
    """Play a scene with a pane that is closed afterwards."""

    async def with_pane(scene: Scene) -> None:
        pane = ImagesPane()
        qtbot.addWidget(pane)
        pane.resize(500, 640)
        pane.show()
        pane.view.canvas.setFocus()
        try:
            await scene(pane)
        finally:
            await pane.close_reads()

    return lambda scene: qt_loop.run_until_complete(with_pane(scene))


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A01 to A03 with two sites and channels, 128 x 128 pixels, and two runs of another diameter."""
    path = make_plate(tmp_path_factory.mktemp("plates") / "plate", wells=3, sites=2, channels=2, size=128)
    for diameter in (10.0, 14.0):
        find = (segment_nuclei, {"diameter_px": diameter})
        steps = [FunctionStep({1: find}, group_by=Component.CHANNEL), FunctionStep(MEASURE, group_by=Component.CHANNEL)]
        with PipelineOrchestrator(path, steps, GlobalConfig(1, ExecutionMode.THREADS)) as orchestrator:
            orchestrator.run()
    return path


def runs(plate: Path) -> list[Path]:
    """The runs of a plate, oldest first."""
    return sorted(path for path in Path(f"{plate}_results").iterdir() if path.is_dir() and not path.is_symlink())


async def until(condition: Callable[[], bool], *signals: pyqtBoundSignal) -> None:
    """Wait until it is so, which one of the signals tells."""
    changed = asyncio.Event()
    connections = [(signal, signal.connect(lambda *_: changed.set())) for signal in signals]
    try:
        async with asyncio.timeout(SECONDS):
            while not condition():
                await changed.wait()
                changed.clear()
    finally:
        for signal, connection in connections:
            signal.disconnect(connection)


async def shown(pane: ImagesPane, well: str, site: int = 1, *, labels: bool = False) -> None:
    """Wait until a field of view is on the screen."""

    def is_shown() -> bool:
        picture, place = pane.view.picture, ImagePlace(well, site)
        return picture is not None and picture.place == place and (not labels or bool(pane.view.sets))

    await until(is_shown, pane.view.loaded)
    await until(lambda: not pane.view.canvas.is_composing, pane.view.canvas.painted)


def picture_of(canvas: ImageCanvas) -> QImage:
    return canvas.grab().toImage()


def test_wells_and_sites_are_looked_through_with_keys(play: Callable[[Scene], None], plate: Path) -> None:
    async def scene(pane: ImagesPane) -> None:
        wanted: list[str] = []
        places: list[object] = []
        pane.well_wanted.connect(wanted.append)
        pane.place_changed.connect(places.append)
        canvas = pane.view.canvas
        pane.show_plate(PlateSource(str(plate)), None)
        await shown(pane, "A01")
        assert canvas.drawing is not None
        QtBot.keyClick(canvas, Qt.Key.Key_Right)
        await shown(pane, "A02")
        QtBot.keyClick(canvas, Qt.Key.Key_Up)
        QtBot.keyClick(canvas, Qt.Key.Key_PageDown)
        await shown(pane, "A02", 2)
        QtBot.keyClick(canvas, Qt.Key.Key_Left)
        await shown(pane, "A01", 2)
        QtBot.keyClick(canvas, Qt.Key.Key_BracketLeft)
        await shown(pane, "A01", 1)
        assert wanted == ["A02", "A01"]
        assert places[-1] == pane.place == ImagePlace("A01")
        QtBot.keyClick(canvas, Qt.Key.Key_S)
        await until(lambda: pane.view.picture is not None and pane.view.picture.plan is not None, pane.view.loaded)
        assert pane.place is None
        pane.view.canvas.double_clicked.emit(QPointF(5, 5))
        await shown(pane, "A01", 1)

    play(scene)


def test_pixels_colours_and_channels(play: Callable[[Scene], None], plate: Path) -> None:
    async def scene(pane: ImagesPane) -> None:
        canvas, source = pane.view.canvas, PlateSource(str(plate))
        pane.show_plate(source, None)
        await shown(pane, "A01")
        await until(lambda: all(look.limits for look in pane.looks.all), pane.contrast_settled)
        assert [look.channel.name for look in pane.looks.shown] == ["DAPI", "FITC"]
        QtBot.keyClick(canvas, Qt.Key.Key_2)
        await until(lambda: not canvas.is_composing, canvas.painted)
        image = picture_of(canvas)
        assert not any(image.pixelColor(x, image.height() // 2).green() > 60 for x in range(5, image.width() - 5))
        plane = await pane.images.plane(source, ImagePlace("A01"), 1)
        row, column = (int(value) for value in np.unravel_index(plane.argmax(), plane.shape))
        at = pane.viewport.to_view(QPointF(column + 0.5, row + 0.5), QSizeF(canvas.size())).toPoint()
        assert image.pixelColor(at).blue() > 200
        QtBot.mouseMove(canvas, at)
        assert pane.view.values_at(QPointF(column, row)) == [("DAPI", str(plane.max()))]
        limits = pane.looks.all[0].limits
        QtBot.keyClick(canvas, Qt.Key.Key_B)
        assert pane.looks.all[0].is_set
        assert pane.looks.all[0].limits != limits
        pane.show_well("A02")
        await shown(pane, "A02")
        assert pane.looks.all[0].is_set, "the contrast is kept over the plate"
        QtBot.keyClick(canvas, Qt.Key.Key_A)
        assert not pane.looks.all[0].is_set
        check = next(each for each in pane.findChildren(QCheckBox) if each.text() == "FITC")
        assert not check.isChecked()
        check.click()
        assert len(pane.looks.shown) == 2

    play(scene)


def test_wheel_zooms_about_the_pointer_and_dragging_moves(
    play: Callable[[Scene], None], plate: Path, qtbot: QtBot
) -> None:
    async def scene(pane: ImagesPane) -> None:
        canvas, viewport = pane.view.canvas, pane.viewport
        pane.show_plate(PlateSource(str(plate)), None)
        await shown(pane, "A01")
        size, pointer = QSizeF(canvas.size()), QPointF(130, 90)
        before, scale = viewport.to_picture(pointer, size), viewport.scale
        turn_wheel(canvas, pointer, 240)
        assert viewport.scale > 1.4 * scale
        assert (viewport.to_picture(pointer, size) - before).manhattanLength() < 1e-6
        QtBot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
        QtBot.mouseMove(canvas, QPoint(160, 140))
        QtBot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(160, 140))
        moved = viewport.to_view(before, size) - pointer
        assert (moved - QPointF(60, 40)).manhattanLength() < 1e-6
        assert not viewport.is_fitted
        QtBot.keyClick(canvas, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
        assert viewport.is_fitted
        assert viewport.scale == pytest.approx(scale)

    play(scene)


def turn_wheel(canvas: ImageCanvas, at: QPointF, angle: int) -> None:
    """Turn the wheel as a mouse does."""
    from PyQt6.QtGui import QWheelEvent

    none, button = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.NoButton
    event = QWheelEvent(
        at, canvas.mapToGlobal(at), QPoint(), QPoint(0, angle), button, none, Qt.ScrollPhase.NoScrollPhase, False
    )
    QApplication.sendEvent(canvas, event)


def test_a_click_picks_an_object_with_its_row(play: Callable[[Scene], None], plate: Path) -> None:
    async def scene(pane: ImagesPane) -> None:
        canvas, run = pane.view.canvas, runs(plate)[1]
        picked: list[PickedObject | None] = []
        pane.object_picked.connect(picked.append)
        pane.show_plate(PlateSource(str(plate)), run)
        pane.show_well("A02")
        await shown(pane, "A02", labels=True)
        assert list(pane.view.sets) == ["nuclei"]
        labels = pane.view.sets["nuclei"].labels
        label = int(np.bincount(labels[labels > 0]).argmax())
        rows, columns = np.nonzero(labels == label)
        middle = len(rows) // 2
        at = pane.viewport.to_view(QPointF(columns[middle] + 0.5, rows[middle] + 0.5), QSizeF(canvas.size()))
        QtBot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at.toPoint())
        assert picked[-1] is not None
        assert (picked[-1].name, picked[-1].label) == ("nuclei", label)
        table = pane.findChild(QTableWidget)
        assert table is not None
        model = table.model()
        assert model is not None
        await until(lambda: table.rowCount() > 0, model.rowsInserted)
        row = open_results(run).arrow("nuclei", where=f"well == 'A02' and site == 1 and label == {label}").to_pylist()
        cells = {table.item(at, 0).text(): table.item(at, 1).text() for at in range(table.rowCount())}  # type: ignore[union-attr]
        assert cells.keys() == row[0].keys()
        assert float(cells["area_px2"]) == row[0]["area_px2"]
        table.setFocus()
        QtBot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        clipboard = QApplication.clipboard()
        assert clipboard is not None
        assert f"area_px2\t{row[0]['area_px2']}" in clipboard.text()
        QtBot.keyClick(table, Qt.Key.Key_Escape)
        assert not table.isVisible()
        pane.show_object(ImagePlace("A03", 2, 0, 1), "nuclei", 1)
        await shown(pane, "A03", 2, labels=True)
        await until(lambda: picked[-1] is not None and picked[-1].label == 1, pane.object_picked)
        assert canvas.drawing is not None
        assert canvas.drawing.ring is not None
        pane.show_object(ImagePlace("A03", 2), "cells", 1)
        await until(lambda: "no outlines of cells" in pane.view.problem, pane.view.loaded)

    play(scene)


def run_of(view: WellView) -> Path | None:
    """The run that the outlines are of."""
    return view.sets["nuclei"].of.file.parents[1] if view.sets else None


def test_two_wells_and_two_runs_side_by_side(play: Callable[[Scene], None], plate: Path) -> None:
    async def scene(pane: ImagesPane) -> None:
        old, new = runs(plate)
        pane.show_plate(PlateSource(str(plate)), new)
        await shown(pane, "A01", labels=True)
        canvas = pane.view.canvas
        QtBot.keyClick(canvas, Qt.Key.Key_C)
        pinned = pane.pinned
        assert pinned is not None
        QtBot.keyClick(canvas, Qt.Key.Key_Right)
        await shown(pane, "A02", labels=True)
        await until(lambda: bool(pinned.sets), pinned.loaded)
        assert pinned.place == ImagePlace("A01")
        turn_wheel(canvas, QPointF(20, 20), 240)
        await until(lambda: not pinned.canvas.is_composing, pinned.canvas.painted)
        assert pane.picture_name() == "plate_A02_s1_and_A01.png"
        QtBot.keyClick(canvas, Qt.Key.Key_P)
        await until(lambda: pinned.picture is not None and pinned.picture.place.well == "A02", pinned.loaded)
        pinned.set_run(old)
        await until(lambda: run_of(pinned) == old, pinned.loaded)
        assert run_of(pane.view) == new
        pane.looks.set_limits(1, (0.0, 100.0))
        drawings = [view.canvas.drawing for view in (pinned, pane.view)]
        assert {drawing.images[0].high for drawing in drawings if drawing is not None} == {100.0}
        QtBot.keyClick(canvas, Qt.Key.Key_C)
        assert pane.pinned is None

    play(scene)


def outlined(view: WellView) -> list[Any]:
    """The labels whose outlines are drawn."""
    drawing = view.canvas.drawing
    assert drawing is not None
    return [outline.labels for outline in drawing.outlines]


def choose(view: WellView, text: str) -> None:
    """Choose an entry of the list of runs with keys."""
    box = view.run_box
    row = next(at for at in range(box.count()) if text in box.itemText(at))
    box.setFocus()
    for _ in range(box.count()):
        key = Qt.Key.Key_Down if box.currentIndex() < row else Qt.Key.Key_Up
        if box.currentIndex() != row:
            QtBot.keyClick(box, key)


def pick(pane: ImagesPane) -> None:
    """Click an object in the middle of it."""
    labels = next(iter(pane.view.sets.values())).labels
    rows, columns = np.nonzero(labels == np.bincount(labels[labels > 0]).argmax())
    middle = len(rows) // 2
    canvas = pane.view.canvas
    at = pane.viewport.to_view(QPointF(columns[middle] + 0.5, rows[middle] + 0.5), QSizeF(canvas.size()))
    QtBot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at.toPoint())


def test_a_view_says_whether_it_shows_the_preview_or_a_run(play: Callable[[Scene], None], plate: Path) -> None:
    async def scene(pane: ImagesPane) -> None:
        pane.show_plate(PlateSource(str(plate)), runs(plate)[1])
        await shown(pane, "A01", labels=True)
        pane.offer_preview(True)
        assert pane.view.outlines_of == "Preview"
        assert not outlined(pane.view), "the outlines of the run are not those of the preview"
        labels = np.zeros((128, 128), np.int32)
        labels[20:60, 20:60] = 1
        pane.show_overlay(Overlay("Preview", {"nuclei": labels}))
        assert [each is labels for each in outlined(pane.view)] == [True]
        pane.compare(True)
        pinned = pane.pinned
        assert pinned is not None
        pinned.show_overlay(Overlay("Preview", {"nuclei": labels}))
        await until(lambda: bool(pinned.sets), pinned.loaded)
        choose(pinned, str(pinned.run_box.itemText(1)))
        assert pinned.outlines_of != "Preview"
        assert [each is pinned.sets["nuclei"].labels for each in outlined(pinned)] == [True]
        assert pane.view.outlines_of == "Preview"
        pane.offer_preview(False)
        assert "Preview" not in pane.view.outlines_of
        assert [each is pane.view.sets["nuclei"].labels for each in outlined(pane.view)] == [True]

    play(scene)


@pytest.mark.parametrize("change", ["other run", "no outlines", "all sites", "reload"])
def test_the_row_of_an_object_goes_with_it(play: Callable[[Scene], None], plate: Path, change: str) -> None:
    async def scene(pane: ImagesPane) -> None:
        old, new = runs(plate)
        pane.show_plate(PlateSource(str(plate)), new)
        pane.show_well("A02")
        await shown(pane, "A02", labels=True)
        canvas, table = pane.view.canvas, pane.findChild(QTableWidget)
        assert table is not None
        height = canvas.height()
        pick(pane)
        model = table.model()
        assert model is not None
        await until(lambda: table.rowCount() > 0, model.rowsInserted)
        assert table.isVisible()
        assert canvas.height() == height, "nothing moves"
        QtBot.keyClick(canvas, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        clipboard = QApplication.clipboard()
        assert clipboard is not None
        assert "area_px2\t" in clipboard.text()
        if change == "other run":
            choose(pane.view, pane.view.run_box.itemText(1))
            assert pane.view.run == old
            assert canvas.hasFocus()
        elif change == "no outlines":
            choose(pane.view, "No outlines")
        else:
            QtBot.keyClick(canvas, Qt.Key.Key_S if change == "all sites" else Qt.Key.Key_F5)
        assert not table.isVisible()

    play(scene)


def test_outlines_of_images_that_were_replaced_since_are_not_taken_for_theirs(
    play: Callable[[Scene], None], tmp_path: Path
) -> None:
    path = make_plate(tmp_path / "plate", wells=2, sites=1, channels=1, size=64)
    steps = [FunctionStep((segment_nuclei, {"diameter_px": 10.0}))]
    with PipelineOrchestrator(path, steps, GlobalConfig(1, ExecutionMode.THREADS)) as orchestrator:
        orchestrator.run()
    first, second = sorted(path.rglob("*.tif"))
    state = first.stat()
    first.write_bytes(second.read_bytes())
    os.utime(first, ns=(state.st_atime_ns, state.st_mtime_ns))

    async def scene(pane: ImagesPane) -> None:
        pane.show_plate(PlateSource(str(path)), runs(path)[0])
        await shown(pane, "A01", labels=True)
        await until(lambda: "have changed since this run" in pane.view.problem, pane.view.loaded)
        pane.show_well("A02")
        await shown(pane, "A02", labels=True)
        assert not await asyncio.to_thread(are_images_changed, runs(path)[0], pane.plate, ImagePlace("A02"))  # type: ignore[arg-type]
        assert not pane.view.problem

    play(scene)


def test_a_pinned_well_stays_when_another_plate_is_chosen(
    play: Callable[[Scene], None], plate: Path, small_plate: Path
) -> None:
    async def scene(pane: ImagesPane) -> None:
        pane.show_plate(PlateSource(str(plate)), runs(plate)[1])
        await shown(pane, "A01", labels=True)
        pane.compare(True)
        pinned = pane.pinned
        assert pinned is not None
        await until(lambda: bool(pinned.sets), pinned.loaded)
        title = pinned.outlines_of
        pane.show_plate(PlateSource(str(small_plate)), None)
        await until(lambda: pane.view.source == PlateSource(str(small_plate)), pane.view.loaded)
        await shown(pane, "A01")
        pane.show_well("A02")
        await shown(pane, "A02")
        assert pane.pinned is pinned
        assert pinned.source == PlateSource(str(plate))
        assert (pinned.run, pinned.outlines_of) == (runs(plate)[1], title)
        assert pinned.title.startswith("A01 pinned \u00b7 site 1 \u00b7 plate")
        assert pane.picture_name() == "small_A02_s1_and_plate_A01.png"
        pane.show_plate(None, None)
        assert pane.pinned is None

    play(scene)


def test_a_narrow_list_shows_time_and_name_of_the_run(qtbot: QtBot) -> None:
    box = RunBox()
    qtbot.addWidget(box)
    title = "2026-11-30 10:36 nuclei_and_spots"
    box.set_runs((RunChoice(Path("/run"), title),))
    box.choose(Path("/run"))
    width = box.fontMetrics().horizontalAdvance
    assert box.text_for(1000) == title
    assert box.text_for(width(title) - 1) == "11-30 10:36 nuclei_and_spots"
    assert box.text_for(width("11-30 10:36 nuclei_and_spots") - 1) == "10:36 nuclei_and_spots"
    assert box.text_for(width("10:36 nuc\u2026pots")).startswith("10:36")
    assert title in box.toolTip()


def test_problems_are_sentences_and_never_a_black_picture(play: Callable[[Scene], None], tmp_path: Path) -> None:
    path = make_plate(tmp_path / "plate", wells=3, sites=1, channels=2, size=64)
    files = {file.name.split("_", 1)[1]: file for file in path.rglob("*.tif")}
    damaged = files["A01_s1_w2.tif"]
    damaged.write_bytes(damaged.read_bytes()[:2000])
    for channel in (1, 2):
        files[f"A02_s1_w{channel}.tif"].write_bytes(b"nothing")

    async def scene(pane: ImagesPane) -> None:
        canvas = pane.view.canvas
        pane.show_plate(PlateSource(str(path)), None)
        await shown(pane, "A01")
        assert damaged.name in pane.view.problem
        assert canvas.drawing is not None
        assert len(canvas.drawing.images) == 1
        pane.show_well("A02")
        await until(lambda: "A02_s1_w1" in pane.view.problem, pane.view.loaded)
        assert canvas.drawing is None
        assert "press F5" in canvas.accessibleDescription()
        pane.show_well("B05")
        assert "no images of B05" in canvas.accessibleDescription()
        pane.show_plate(PlateSource(str(tmp_path / "gone")), None)
        await until(lambda: "is not there" in canvas.accessibleDescription(), pane.view.loaded)
        path.rename(tmp_path / "gone")
        QtBot.keyClick(canvas, Qt.Key.Key_F5)
        await shown(pane, "A01")
        pane.show_plate(None, None)
        assert "Select a plate" in canvas.accessibleDescription()
        assert pane.place is None

    play(scene)


def test_another_plate_cancels_what_was_asked_for(play: Callable[[Scene], None], tmp_path: Path) -> None:
    paths = [make_plate(tmp_path / f"plate{number}", wells=2, sites=1, channels=1, size=64) for number in range(5)]

    async def scene(pane: ImagesPane) -> None:
        for turn in range(20):
            pane.show_plate(PlateSource(str(paths[turn % 5])), None)
            pane.show_well("A02")
            if turn % 3 == 0:
                await shown(pane, "A02")
        await shown(pane, "A02")
        assert pane.plate is not None
        assert pane.plate.source.path == str(paths[19 % 5])
        assert pane.images.opened <= 4

    play(scene)


def test_an_overlay_is_drawn_over_or_instead_of_the_image(play: Callable[[Scene], None], plate: Path) -> None:
    async def scene(pane: ImagesPane) -> None:
        pane.show_plate(PlateSource(str(plate)), None)
        await shown(pane, "A01")
        labels = np.zeros((128, 128), np.int32)
        labels[20:60, 20:60] = 1
        pane.show_overlay(Overlay("Trial", {"nuclei": labels}, labels.astype(np.float32), "Smoothed"))
        drawing = pane.view.canvas.drawing
        assert drawing is not None
        assert [outline.labels is labels for outline in drawing.outlines] == [True]
        pane.show_instead(True)
        drawing = pane.view.canvas.drawing
        assert drawing is not None
        assert [layer.colour for layer in drawing.images] == [0xFFFFFF]
        pane.show_well("A02")
        await shown(pane, "A02")
        drawing = pane.view.canvas.drawing
        assert drawing is not None
        assert not drawing.outlines, "an overlay belongs to the image that it was made of"

    play(scene)


def test_pictures_are_saved_under_names_that_say_what_they_show(
    play: Callable[[Scene], None], plate: Path, tmp_path: Path
) -> None:
    async def scene(pane: ImagesPane) -> None:
        assert pane.picture_name() == "image.png"
        pane.show_plate(PlateSource(str(plate)), None)
        await shown(pane, "A01")
        assert pane.picture_name() == "plate_A01_s1.png"
        pane.save_picture(str(tmp_path / pane.picture_name()))
        assert QImage(str(tmp_path / "plate_A01_s1.png")).width() > 300
        QtBot.keyClick(pane.view.canvas, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        clipboard = QApplication.clipboard()
        assert clipboard is not None
        assert not clipboard.image().isNull()

    play(scene)


def test_scale_bar_has_a_round_length() -> None:
    assert [bar_length(most) for most in (0.7, 1.0, 49.0, 1999.0)] == pytest.approx([0.5, 1.0, 20.0, 1000.0])
    assert [length_text(um) for um in (0.5, 20.0, 1000.0)] == ["500 nm", "20 \u00b5m", "1 mm"]
