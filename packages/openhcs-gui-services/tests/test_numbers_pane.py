"""The numbers pane with mouse and keys, on a plate that was run twice: words, map, table, gates, screen, comparison."""

import asyncio
import csv
import functools
import json
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph  # type: ignore[import-untyped]
import pytest
import qasync  # type: ignore[import-untyped]
import tifffile
from PyQt6.QtCore import QEvent, QPoint, QPointF, QSettings, Qt, pyqtBoundSignal
from PyQt6.QtGui import QGuiApplication, QMouseEvent
from PyQt6.QtWidgets import QApplication, QComboBox, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from openhcs_gui_services import MainWindow
from openhcs_gui_services.services.numbers.gates import GateStore, PolygonGate, chosen_by, where_of
from openhcs_gui_services.services.numbers.latest import LatestWork
from openhcs_gui_services.services.numbers.mapped_table import map_table
from openhcs_gui_services.services.numbers.places import ObjectPlace
from openhcs_gui_services.services.numbers.plots import MOST_POINTS, Density, Grouping, Points, scatter
from openhcs_gui_services.services.plates.well_colours import WellColours
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.numbers.gate_dialog import GateDialog
from openhcs_gui_services.widgets.numbers.gate_view_box import GateTool
from openhcs_gui_services.widgets.numbers.pane import NumbersPane
from openhcs_gui_services.widgets.numbers.table_tab import wells_named
from openhcs_gui_services.widgets.plates.map_look import MapLook
from openhcs_gui_services.widgets.plates.well_values import value_look
from openhcs_gui_services.window.numbers_link import NumbersLink
from openhcs_gui_services.window.panes import NUMBERS, WindowPanes
from openhcs_runtime import ExecutionMode, FunctionStep, GlobalConfig, PipelineOrchestrator, make_plate, open_results
from openhcs_runtime.exceptions import DamagedResultError, OutputError
from openhcs_runtime.functions import measure_objects, segment_nuclei
from openhcs_runtime.outputs.exclusions import FILE_NAME, exclude_wells, include_wells, read_exclusions
from openhcs_runtime.outputs.runs import list_runs, read_run
from openhcs_runtime.profiles import ScreenRequest, profile_screen
from zmqruntime.execution import AxisState
from zmqruntime.testing import until

pytestmark = pytest.mark.usefixtures("no_leaks", "isolated_home")

SECONDS = 60.0
MAP = """well,compound,dose_uM,control
A01,DMSO,0,negative
A02,DMSO,0,negative
A03,acid,1,
A04,acid,2,
A05,killer,9,positive
A06,killer,9,positive
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of a plate with controls and a broken image in A04: the older and the newer one."""
    plate = make_plate(tmp_path_factory.mktemp("numbers") / "screen", wells=6, sites=1, channels=1, size=128)
    (plate / "platemap.csv").write_text(MAP)
    for path in plate.rglob("*.tif"):
        if "A05" in path.name or "A06" in path.name:
            tifffile.imwrite(path, (tifffile.imread(path) * 0.3).astype("uint16"))
    next(plate.rglob("*A04*.tif")).write_bytes(b"II*\0broken")
    for factor in (0.9, 1.1):
        steps = [FunctionStep((segment_nuclei, {"factor": factor})), FunctionStep(measure_objects)]
        with PipelineOrchestrator(plate, steps, GlobalConfig(1, ExecutionMode.THREADS)) as orchestrator:
            orchestrator.run()
    newer, older = (run.folder for run in list_runs(plate.parent / "screen_results"))
    return older, newer


Scene = Callable[[NumbersPane], Coroutine[Any, Any, None]]


@pytest.fixture
def play(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, counted: tuple[Path, Path], tmp_path: Path
) -> Callable[[Scene], None]:
    """Play a scene in a pane that shows the newer run."""

    async def in_pane(scene: Scene) -> None:
        pane = NumbersPane(GateStore(tmp_path / "gates"))
        qtbot.addWidget(pane)
        pane.resize(420, 640)
        pane.show()
        try:
            pane.show_run(counted[1], "screen")
            await pane.settle()
            async with asyncio.timeout(SECONDS):
                await scene(pane)
        finally:
            pane.hide()
            await pane.close_work()

    return lambda scene: qt_loop.run_until_complete(in_pane(scene))


async def emitted(signal: pyqtBoundSignal, do: Callable[[], object]) -> tuple[Any, ...]:
    """Do something and return what the signal then sends."""
    found: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

    def take(*values: Any) -> None:
        if not found.done():
            found.set_result(values)

    connection = signal.connect(take)
    try:
        do()
        async with asyncio.timeout(SECONDS):
            return await found
    finally:
        signal.disconnect(connection)


def choose(box: QComboBox, text: str) -> None:
    """Type into a list that can be searched, and take what it completes."""
    line = box.lineEdit()
    assert line is not None
    line.selectAll()
    QtBot.keyClicks(line, text)
    QtBot.keyClick(line, Qt.Key.Key_Return)


def test_words_colours_and_excluded_wells(play: Callable[[Scene], None], counted: tuple[Path, Path]) -> None:
    async def scene(pane: NumbersPane) -> None:
        assert pane.header.run.whole_text.startswith("screen: "), "the first line names the run"
        assert pane.header.counted.whole_text.startswith("6 wells, ")
        assert "nuclei" in pane.header.counted.whole_text
        assert "1 well failed" in pane.header.words.text()
        assert "No wells excluded" in pane.header.words.text()
        links: list[str] = []
        pane.well_wanted.connect(links.append)
        pane.header.words.linkActivated.emit("A04")
        assert links == ["A04"]
        (colours,) = await emitted(
            pane.colours_changed, lambda: choose(pane.bar.measure, "nuclei: intensity mean, DAPI")
        )
        assert isinstance(colours, WellColours)
        assert colours.title == "median nuclei: intensity mean, DAPI"
        assert set(colours.values) == {"A01", "A02", "A03", "A05", "A06"}
        assert dict(colours.controls)["A05"] == "positive"
        assert pane.bar.low.text() == f"{colours.lowest:.5g}"
        pane.bar.low.selectAll()
        QtBot.keyClicks(pane.bar.low, "1")
        (scaled,) = await emitted(pane.colours_changed, lambda: QtBot.keyClick(pane.bar.low, Qt.Key.Key_Return))
        assert (scaled.lowest, pane.bar.auto.isChecked()) == (1.0, False)
        await exclude(pane)

    async def exclude(pane: NumbersPane) -> None:
        places = [widget.mapTo(pane, QPoint()) for widget in (pane.header.where, pane.bar, pane.tabs)]
        pane.select_wells(["A03"])
        pane.show_exclusions()
        dialog = pane._dialog
        assert dialog is not None
        QtBot.keyClicks(dialog.note, "air bubble")
        (colours,) = await emitted(pane.colours_changed, lambda: QtBot.keyClick(dialog.note, Qt.Key.Key_Return))
        assert colours.excluded == {"A03"}
        assert "A03" not in colours.values
        assert value_look("A03", colours, AxisState.COMPLETE).is_excluded
        assert "1 well excluded" in pane.header.words.text()
        assert pane.header.counted.whole_text.startswith("5 of 6 wells (1 excluded); ")
        pane.show_run(counted[1], "a plate with a very long name " * 5)
        await pane.settle()
        assert "very long name" in pane.header.run.whole_text
        assert [widget.mapTo(pane, QPoint()) for widget in (pane.header.where, pane.bar, pane.tabs)] == places
        assert read_exclusions(read_run(counted[1])).note("A03") == "air bubble"
        dialog.list.selectAll()
        (colours,) = await emitted(pane.colours_changed, dialog.include.click)
        assert "A03" in colours.values
        dialog.reject()

    play(scene)


def test_what_is_damaged_is_said(play: Callable[[Scene], None], counted: tuple[Path, Path]) -> None:
    async def scene(pane: NumbersPane) -> None:
        path = counted[1].parent / FILE_NAME
        path.write_text("{")
        pane.show_run(counted[1], "screen")
        await pane.settle()
        assert "delete it to include all wells" in pane.empty.text()
        assert pane.empty.isVisible()
        path.unlink()
        pane.show_run(None, "other")
        assert "other has no results" in pane.empty.text()

    play(scene)


def test_table_is_sorted_filtered_copied_and_exported(
    play: Callable[[Scene], None], counted: tuple[Path, Path], tmp_path: Path
) -> None:
    nuclei = open_results(counted[1]).arrow("nuclei")

    async def scene(pane: NumbersPane) -> None:
        tab = pane.table_tab
        tab.chosen.setCurrentText("nuclei")
        await pane.settle()
        assert tab.model.rowCount() == nuclei.num_rows
        await sort(pane)
        QtBot.keyClicks(tab.where, "area_px2 >")
        QtBot.keyClick(tab.where, Qt.Key.Key_Return)
        await pane.settle()
        assert tab.problem.isVisible()
        tab.where.setText("control == 'positive' and label > 1")
        tab.wells.setText("6")
        QtBot.keyClick(tab.wells, Qt.Key.Key_Return)
        await pane.settle()
        assert not tab.problem.isVisible()
        rows = open_results(counted[1]).arrow("nuclei", where="well == 'A06' and label > 1").num_rows
        assert tab.model.rowCount() == rows > 0
        await use(pane, rows)

    async def sort(pane: NumbersPane) -> None:
        header = pane.table_tab.view.horizontalHeader()
        assert header is not None
        place = pane.table_tab.model.columns.index("area_px2")
        pane.table_tab.view.scrollTo(pane.table_tab.model.index(0, place))
        at = QPoint(header.sectionViewportPosition(place) + 5, 5)
        for descending in (False, True):
            QtBot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=at)
            await pane.settle()
            model = pane.table_tab.model
            shown = [float(model.data(model.index(row, place))) for row in range(model.rowCount())]
            assert shown == sorted(nuclei["area_px2"].to_pylist(), reverse=descending)

    async def use(pane: NumbersPane, rows: int) -> None:
        tab = pane.table_tab
        places: list[ObjectPlace] = []
        pane.object_wanted.connect(places.append)
        tab.view.setCurrentIndex(tab.model.index(0, 0))
        tab.view.setFocus()
        QtBot.keyClick(tab.view, Qt.Key.Key_Return)
        assert places[0].place.well == "A06"
        assert places[0].label_set == "nuclei"
        tab.view.selectAll()
        QtBot.keyClick(tab.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        clipboard = QGuiApplication.clipboard()
        assert clipboard is not None
        lines = clipboard.text().splitlines()
        assert lines[0].split("\t") == list(tab.model.columns)
        assert len(lines) == rows + 1
        tab.export_to(tmp_path / "nuclei.csv")
        await pane.settle()
        with (tmp_path / "nuclei.csv").open() as file:
            assert len(list(csv.DictReader(file))) == rows

    play(scene)


@pytest.fixture
def every_move() -> Iterator[None]:
    """Plots take every move of the mouse, not only a hundred a second."""
    known = pyqtgraph.getConfigOption("mouseRateLimit")
    pyqtgraph.setConfigOption("mouseRateLimit", 0)
    yield
    pyqtgraph.setConfigOption("mouseRateLimit", known)


def drag(pane: NumbersPane, places: list[tuple[float, float]]) -> None:
    """Drag with the mouse over places of the plot, in units of its axes."""
    plot = pane.plot_tab.plot
    points = [plot.mapFromScene(plot.getViewBox().mapViewToScene(QPointF(*place))) for place in places]
    viewport, held = plot.viewport(), Qt.MouseButton.LeftButton
    move(viewport, points[0], Qt.MouseButton.NoButton)
    QtBot.mousePress(viewport, held, pos=points[0])
    for point in points[1:]:
        move(viewport, point, held)
    QtBot.mouseRelease(viewport, held, pos=points[-1])


def move(widget: QWidget, point: QPoint, held: Qt.MouseButton) -> None:
    """Move the mouse with a button held; QTest's own moves the pointer of the screen, which may not exist."""
    place, everywhere = QPointF(point), QPointF(widget.mapToGlobal(point))
    none, keys = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(widget, QMouseEvent(QEvent.Type.MouseMove, place, everywhere, none, held, keys))


def test_gates_lead_back_to_the_cells(
    play: Callable[[Scene], None],
    counted: tuple[Path, Path],
    tmp_path: Path,
    every_move: None,
) -> None:
    results = open_results(counted[1])

    async def scene(pane: NumbersPane) -> None:
        tab = pane.plot_tab
        pane.tabs.setCurrentWidget(tab)
        tab.kind.setCurrentText("Scatter plot")
        tab._select(tab.x_measure, "area_px2")
        tab._select(tab.y_measure, "intensity_mean_DAPI")
        await pane.settle()
        tab.gates.choose_tool(GateTool.RECTANGLE)
        left, right, bottom, top = tab.plot.view()
        width, height = (right - left) / 100, (top - bottom) / 100
        drag(pane, [(left + x * width, bottom + y * height) for x, y in ((1, 1), (50, 30), (50, 99))])
        await pane.settle()
        gate = tab.gates.gate
        assert gate is not None
        expected = results.arrow("nuclei", where=where_of(gate)).num_rows
        total = results.rows("nuclei")
        assert 0 < expected < total
        assert f"{expected} of {total} nuclei ({100 * expected / total:.1f} %)" in tab.words.text()
        assert tab.gallery.list.count() == expected
        await follow(pane)
        await make_with_keys(pane)

    async def make_with_keys(pane: NumbersPane) -> None:
        tab = pane.plot_tab
        tab.kind.setCurrentText("Histogram")
        await pane.settle()
        tab.gates.new_wanted.emit()
        dialog = tab.gates.findChild(GateDialog)
        assert dialog is not None
        for field, text in zip((dialog.name, *dialog.fields), ("Large", "90", "1e6"), strict=True):
            field.selectAll()
            QtBot.keyClicks(field, text)
        QtBot.keyClick(dialog.name, Qt.Key.Key_Return)
        await pane.settle()
        large = results.arrow("nuclei", where="area_px2 >= 90").num_rows
        assert tab.words.text().startswith(f"<b>{large} of ")
        assert tab.gates.gates.currentText() == "Large"

    async def follow(pane: NumbersPane) -> None:
        tab = pane.plot_tab
        assert all(crop.outline is not None for crop in tab.gallery._page.crops)
        places: list[ObjectPlace] = []
        pane.object_wanted.connect(places.append)
        box = tab.gallery.list.visualItemRect(tab.gallery.list.item(0))
        QtBot.mouseClick(tab.gallery.list.viewport(), Qt.MouseButton.LeftButton, pos=box.center())
        assert places[0].label_set == "nuclei"
        (colours,) = await emitted(pane.colours_changed, tab.gates.colours_wanted.emit)
        assert (colours.title, colours.unit) == ("nuclei in Gate 1", "%")
        saved = json.loads(next((tmp_path / "gates").glob("*.json")).read_text())
        assert saved["gates"][0]["x"] == "area_px2"
        tab.gates.gate_changed.emit(tab.gates.gate, None)
        await pane.settle()
        assert json.loads(next((tmp_path / "gates").glob("*.json")).read_text())["gates"] == []

    play(scene)


def test_screen_and_two_runs(play: Callable[[Scene], None], counted: tuple[Path, Path]) -> None:
    async def scene(pane: NumbersPane) -> None:
        choose(pane.bar.measure, "nuclei: intensity mean, DAPI")
        pane.tabs.setCurrentWidget(pane.screen_tab)
        await emitted(pane.colours_changed, lambda: None)
        await pane.settle()
        words = pane.screen_tab.words.text()
        assert "Negative controls: 2 wells, control == 'negative'" in words
        assert "Z'" in words
        assert "from all wells of the plate (only 2 negative controls are left)" in words
        screen = profile_screen(
            open_results(counted[1]), ScreenRequest(table="nuclei", measures=("intensity_mean_DAPI",), hits=True)
        )
        assert [hit.wells for hit in pane.screen_tab._hits] == [hit.wells for hit in screen.hits]
        assert screen.comparison.sentence == "Compared with all wells of the plate: only 2 negative controls are left"
        pane.tabs.setCurrentWidget(pane.compare_tab)
        await pane.settle()
        pane.resize(325, 640)
        contents = pane._pages.currentWidget()
        assert isinstance(contents, QScrollArea)
        bar = contents.horizontalScrollBar()
        assert bar is not None
        assert bar.maximum() == 0, "everything fits into a narrow pane"
        titles = pane.tabs.tabBar()
        assert titles is not None
        assert titles.sizeHint().width() <= 325
        assert "1 line added, 1 removed" in pane.compare_tab.words.text()
        assert '+    FunctionStep((segment_nuclei, {"factor": 1.1}))' in pane.compare_tab.diff.toPlainText()
        assert pane.compare_tab.table.rowCount() == 5
        wells: list[str] = []
        pane.well_wanted.connect(wells.append)
        first = pane.compare_tab.table.item(0, 0)
        assert first is not None
        pane.compare_tab.table.activated.emit(pane.compare_tab.table.indexFromItem(first))
        assert wells == [first.text()]

    play(scene)


def test_mapped_rows_are_those_of_the_table(counted: tuple[Path, Path]) -> None:
    results = open_results(counted[1])
    table = map_table(results, "nuclei")
    try:
        chosen = table.rows("area_px2 > 60 or well == 'A01'", ["A01", "A02"])
        read = results.arrow("nuclei", ["label"], "(area_px2 > 60 or well == 'A01') and well in ('A01', 'A02')")
        assert [table.cell(row, "label") for row in chosen.tolist()] == read["label"].to_pylist()
        wells = [table.cell(row, "well") for row in table.sorted_rows(chosen, "well", descending=True).tolist()]
        assert wells == sorted(map(str, wells), reverse=True)
        with pytest.raises(OutputError, match="has no column"):
            table.rows("areas > 3")
    finally:
        table.close()


def test_gates_choose_and_are_kept(tmp_path: Path) -> None:
    corners = ((1.0, 1.0), (100.0, 1.0), (1.0, 100.0))
    gate = PolygonGate(name="corner", table="nuclei", x="a", y="b", corners=corners, x_log=True, y_log=True)
    x, y = np.array([2.0, 50.0, 0.0, np.nan, 9.0]), np.array([2.0, 50.0, 2.0, 2.0, 9.0])
    assert chosen_by(gate, x, y).tolist() == [True, False, False, False, True]
    store = GateStore(tmp_path)
    store.save("/plates/one", [gate])
    assert store.load("/plates/one") == (gate,)
    assert store.load("/plates/two") == ()
    store.path("/plates/one").write_text("[]")
    for use in (lambda: store.load("/plates/one"), lambda: store.save("/plates/one", [gate])):
        with pytest.raises(DamagedResultError, match="restore or delete it"):
            use()


def test_many_points_are_drawn_as_a_density_and_few_in_view_one_by_one() -> None:
    number = MOST_POINTS + 5
    x = np.arange(number, dtype=np.float64)
    groups, kept = Grouping(np.zeros(number, dtype=np.intp), ("all",)), np.ones(number, dtype=np.bool_)
    everything = scatter(x, x, groups, kept)
    assert isinstance(everything, Density)
    assert everything.counts.sum() == number
    part = scatter(x, x, groups, kept, (0.0, 9.0, 0.0, 9.0))
    assert isinstance(part, Points)
    assert part.rows.tolist() == list(range(10))


@pytest.mark.parametrize(
    ("text", "wells"), [("b2", ("B02",)), ("A", ("A01", "A02")), ("2, a1", ("A02", "B02", "A01")), ("x", ()), ("?", ())]
)
def test_quick_filter_names_wells(text: str, wells: tuple[str, ...]) -> None:
    known = ("A01", "A02", "B01", "B02")
    if wells:
        assert wells_named(text, known) == wells
    else:
        with pytest.raises(ValueError, match="write, for example"):
            wells_named(text, known)


def test_only_the_newest_result_is_delivered(qt_loop: qasync.QEventLoop) -> None:
    from openhcs_gui_services.services.background import BackgroundTasks

    async def scene() -> None:
        found: list[int] = []
        tasks = BackgroundTasks(pytest.fail)
        work: LatestWork[int] = LatestWork(tasks, "Counting", found.append, pytest.fail)
        for number in range(5):
            work.start(functools.partial(int, number))
        await tasks.wait()
        assert found == [4]

    qt_loop.run_until_complete(scene())


def test_exclusions_of_plates_are_apart(counted: tuple[Path, Path]) -> None:
    run = read_run(counted[1])
    try:
        assert exclude_wells(run, ["A01"], "dust").names == {"A01"}
        path = counted[1].parent / FILE_NAME
        path.write_text(path.read_text().replace('"screen"', '"another"'))
        assert read_exclusions(run).names == frozenset()
        assert exclude_wells(run, ["a2"]).names == {"A02"}
        assert include_wells(run, ["A02"]).names == frozenset()
        assert "another" in path.read_text()
    finally:
        (counted[1].parent / FILE_NAME).unlink()


def test_pane_follows_the_plates_of_the_window(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, counted: tuple[Path, Path], isolated_home: Path, tmp_path: Path
) -> None:
    plate = Path(read_run(counted[1]).plate_path)
    other = make_plate(tmp_path / "other", wells=2, sites=1, channels=1, size=64)

    async def scene() -> None:
        settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
        settings.setValue("window/look", MapLook.IMAGES.name)
        workspace = PlateWorkspace(7891, memory=isolated_home / "memory")
        window = MainWindow(workspace, settings, WindowPanes(workspace, settings, None, 7891))
        qtbot.addWidget(window)
        window.show()
        try:
            pane = window.show_pane(NUMBERS)
            assert isinstance(pane, NumbersPane)
            assert "Add a plate" in pane.empty.text()
            plate_map = window.manager.map
            await until(lambda: plate_map.look is MapLook.IMAGES, plate_map.look_changed.connect)
            assert "Run the plate" in plate_map._no_values
            while pane.numbers is None:
                await emitted(pane.run_shown, lambda: window.manager.add_plates([str(plate)]))
            assert pane.numbers.run.folder == counted[1]
            assert await emitted(pane.map_wanted, lambda: choose(pane.bar.measure, "nuclei: area (px²)")) == ()
            assert window.manager.map.look is MapLook.VALUES
            assert window.manager.map_bar.measure == "nuclei: area (px²)"
            assert settings.value("window/look") == MapLook.VALUES.name
            assert "Choose" in plate_map._no_values
            await keeps_measure_and_run(window, pane)
            await emitted(pane.colours_changed, lambda: window.manager.map_bar.choose_measure("nuclei count"))
            assert pane.bar.measure.currentText() == "nuclei count"
            pane.header.words.linkActivated.emit("A02")
            assert window.manager.map.selected == "A02"
            await pane.settle()
        finally:
            await window.end()
            await workspace.close()

    async def keeps_measure_and_run(window: MainWindow, pane: NumbersPane) -> None:
        window.manager.add_plates([str(other)])
        window.manager.table.select_paths([str(other)], str(other))
        await until(lambda: "other has no results" in pane.empty.text(), pane.run_shown.connect)
        await emitted(pane.colours_changed, lambda: window.manager.table.select_paths([str(plate)], str(plate)))
        await pane.settle()
        assert pane.bar.measure.currentText() == window.manager.map_bar.measure == "nuclei: area (px²)"
        link = pane.findChild(NumbersLink)
        assert link is not None
        await emitted(pane.run_shown, lambda: pane.show_run(counted[0], "screen"))
        await emitted(pane.run_shown, link.show_current)
        assert pane.numbers is not None
        assert pane.numbers.run.folder == counted[1], "another run than that of the heading does not stay"

    qt_loop.run_until_complete(scene())
