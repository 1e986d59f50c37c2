"""Selecting wells of the plate map with mouse and keyboard, its looks, its bar, and the details of a well."""

import asyncio
import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QEvent, QPoint, QPointF, QSize, Qt
from PyQt6.QtGui import QColor, QContextMenuEvent, QFont, QImage, QMouseEvent, QPalette
from PyQt6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.plates.well_colours import WellColours
from openhcs_gui_services.services.plates.well_numbers import WellNumbers, read_well_numbers
from openhcs_gui_services.widgets import MapBar, MapLook, PlateMap, WellDetails
from openhcs_gui_services.widgets.plates.well_dialogs import SampleDialog, WhereDialog
from openhcs_gui_services.widgets.plates.well_grid import Margins, WellGrid
from openhcs_gui_services.widgets.plates.well_texts import lay_out
from openhcs_gui_services.widgets.plates.well_values import LEVELS, colour_of_level, ink_on
from openhcs_runtime.components import ImageKey, well_name
from openhcs_runtime.outputs.wells import WellRecord, measured_image, part_path, write_part
from openhcs_runtime.plate_map import read_plate_map
from openhcs_runtime.results import StepCost
from zmqruntime.execution import AxisProgress, AxisState

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NONE = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton


def wells(rows: int, columns: int, state: AxisState = AxisState.COMPLETE) -> list[AxisProgress]:
    return [AxisProgress(well_name(row, column), state) for row in range(rows) for column in range(columns)]


def block(rows: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(f"{row}{column:02}" for row in rows for column in range(first, last + 1))


@pytest.fixture
def plate_map(qtbot: QtBot) -> PlateMap:
    made = PlateMap()
    qtbot.addWidget(made)
    made.resize(620, 460)
    made.set_wells(wells(8, 12))
    made.show()
    made.setFocus()
    return made


def chosen(plate_map: PlateMap) -> tuple[str, ...]:
    return plate_map.selected_wells


def middle(plate_map: PlateMap, axis_id: str) -> QPoint:
    return plate_map.rect_of(axis_id).center()


def click(plate_map: PlateMap, axis_id: str, keys: Qt.KeyboardModifier = NONE) -> None:
    QtBot.mouseClick(plate_map, LEFT, keys, middle(plate_map, axis_id))


def drag(plate_map: PlateMap, start: QPoint, end: QPoint, keys: Qt.KeyboardModifier = NONE) -> None:
    """Press, move with the button held, and release; qtbot's own move has no button."""
    QtBot.mousePress(plate_map, LEFT, keys, start)
    for part in (0.3, 0.7, 1.0):
        point = QPointF(start + (end - start) * part)
        where = plate_map.mapToGlobal(point)
        moved = QMouseEvent(QEvent.Type.MouseMove, point, where, Qt.MouseButton.NoButton, LEFT, keys)
        QApplication.sendEvent(plate_map, moved)
    QtBot.mouseRelease(plate_map, LEFT, keys, end)


def test_a_drag_selects_a_rectangle_and_with_ctrl_adds_one(plate_map: PlateMap) -> None:
    drag(plate_map, middle(plate_map, "B02"), middle(plate_map, "C04"))
    assert chosen(plate_map) == block("BC", 2, 4)
    assert plate_map.selected == "B02"
    drag(plate_map, middle(plate_map, "G11"), middle(plate_map, "F10"), CTRL)
    assert chosen(plate_map) == (*block("BC", 2, 4), *block("FG", 10, 11))
    ground = plate_map.rect_of("A01").topLeft() - QPoint(3, 3)
    drag(plate_map, QPoint(plate_map.width() - 2, middle(plate_map, "H12").y() + 15), middle(plate_map, "H11"))
    assert chosen(plate_map) == ("H11", "H12")
    assert plate_map.accessibleDescription().startswith("2 wells selected. H1")
    QtBot.mouseClick(plate_map, LEFT, NONE, QPoint(plate_map.width() - 2, 200))
    assert chosen(plate_map) == ()
    assert plate_map.axis_at(ground) is None


def test_shift_selects_a_range_and_ctrl_one_more_or_less(plate_map: PlateMap) -> None:
    click(plate_map, "C03")
    click(plate_map, "A05", SHIFT)
    assert chosen(plate_map) == block("ABC", 3, 5)
    click(plate_map, "D04", SHIFT)
    assert chosen(plate_map) == block("CD", 3, 4)
    click(plate_map, "C03", CTRL)
    click(plate_map, "H12", CTRL)
    assert chosen(plate_map) == ("C04", "D03", "D04", "H12")
    click(plate_map, "A01")
    assert chosen(plate_map) == ("A01",)


def test_letters_numbers_and_the_corner_select_rows_columns_and_all(plate_map: PlateMap) -> None:
    left, above = plate_map.rect_of("A01").left() - 8, plate_map.rect_of("A01").top() - 6
    QtBot.mouseClick(plate_map, LEFT, NONE, QPoint(left, middle(plate_map, "D01").y()))
    assert chosen(plate_map) == block("D", 1, 12)
    QtBot.mouseClick(plate_map, LEFT, CTRL, QPoint(middle(plate_map, "A02").x(), above))
    assert set(chosen(plate_map)) == {*block("D", 1, 12), *block("ABCDEFGH", 2, 2)}
    QtBot.mouseClick(plate_map, LEFT, NONE, QPoint(middle(plate_map, "A07").x(), above))
    assert chosen(plate_map) == block("ABCDEFGH", 7, 7)
    QtBot.mouseClick(plate_map, LEFT, NONE, QPoint(left, above))
    assert len(chosen(plate_map)) == 96


def test_the_keyboard_selects_as_the_mouse_does(plate_map: PlateMap, qtbot: QtBot) -> None:
    click(plate_map, "B02")
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down):
        qtbot.keyClick(plate_map, key, SHIFT)
    assert chosen(plate_map) == block("BC", 2, 3)
    qtbot.keyClick(plate_map, Qt.Key.Key_Escape)
    assert chosen(plate_map) == ("C03",)
    for _ in range(2):
        qtbot.keyClick(plate_map, Qt.Key.Key_Right, CTRL)
    assert (chosen(plate_map), plate_map.selected) == (("C03",), "C05")
    qtbot.keyClick(plate_map, Qt.Key.Key_Space, CTRL)
    assert chosen(plate_map) == ("C03", "C05")
    qtbot.keyClick(plate_map, Qt.Key.Key_Space, CTRL)
    assert chosen(plate_map) == ("C03",)
    qtbot.keyClick(plate_map, Qt.Key.Key_A, CTRL)
    assert len(chosen(plate_map)) == 96
    qtbot.keyClick(plate_map, Qt.Key.Key_End)
    assert chosen(plate_map) == ("H12",)


def ask_for_menu(plate_map: PlateMap, point: QPoint, reason: QContextMenuEvent.Reason) -> None:
    if reason is QContextMenuEvent.Reason.Mouse:
        QtBot.mousePress(plate_map, Qt.MouseButton.RightButton, NONE, point)
    QApplication.sendEvent(plate_map, QContextMenuEvent(reason, point, plate_map.mapToGlobal(point)))


def test_the_menu_is_that_of_the_well_under_the_pointer(plate_map: PlateMap) -> None:
    asked: list[str] = []
    plate_map.menu_wanted.connect(lambda axis_id, _: asked.append(axis_id))
    mouse, keyboard = QContextMenuEvent.Reason.Mouse, QContextMenuEvent.Reason.Keyboard
    click(plate_map, "A01")
    ask_for_menu(plate_map, middle(plate_map, "D06"), mouse)
    assert (asked, chosen(plate_map)) == (["D06"], ("D06",))
    drag(plate_map, middle(plate_map, "B02"), middle(plate_map, "C04"))
    ask_for_menu(plate_map, middle(plate_map, "C03"), mouse)
    assert (asked, chosen(plate_map), plate_map.selected) == (["D06", "C03"], block("BC", 2, 4), "C03")
    ask_for_menu(plate_map, QPoint(plate_map.width() - 2, 200), mouse)
    assert len(asked) == 2
    ask_for_menu(plate_map, QPoint(0, 0), keyboard)
    assert asked == ["D06", "C03", "C03"]


@pytest.mark.parametrize(("shape", "least"), [((2, 3), 150), ((4, 6), 75), ((8, 12), 37)])
def test_wells_fill_the_space(plate_map: PlateMap, shape: tuple[int, int], least: int) -> None:
    grid = WellGrid.fit(lay_out([well_name(shape[0] - 1, shape[1] - 1)]), QSize(880, 390), Margins(26, 18, 18))
    assert grid.size >= least
    assert grid.rect_of((shape[0] - 1, shape[1] - 1)).bottom() <= grid.legend().top()
    assert grid.legend().bottom() <= 390


def test_labels_and_legend_have_room_in_a_large_font(plate_map: PlateMap) -> None:
    top = plate_map.rect_of("A01").top()
    font = QFont(plate_map.font())
    font.setPointSizeF(font.pointSizeF() * 2)
    plate_map.setFont(font)
    QApplication.processEvents()
    assert plate_map.rect_of("A01").top() > top
    assert plate_map.rect_of("H12").bottom() < plate_map.height()


VALUES = WellColours(
    "Mean area", "µm²", {"A01": 1.0, "A02": 2.0, "A03": 3.0, "A04": math.nan}, 1.0, 3.0,
    {"A01": "negative", "A03": "positive"}, frozenset({"A03"}),
)  # fmt: skip


def corner_colour(plate_map: PlateMap, axis_id: str) -> QColor:
    """Away from text, ring and signs."""
    rect = plate_map.rect_of(axis_id)
    return plate_map.grab().toImage().pixelColor(rect.left() + 6, rect.center().y() + rect.height() // 4)


def test_values_colour_the_wells_and_those_without_are_hatched(plate_map: PlateMap) -> None:
    plate_map.show_values(VALUES)
    plate_map.set_look(MapLook.VALUES)
    for axis_id, level in {"A01": 0, "A03": LEVELS - 1}.items():
        assert corner_colour(plate_map, axis_id) == colour_of_level(level)
    image, rect = plate_map.grab().toImage(), plate_map.rect_of("A04")
    row = {image.pixelColor(x, rect.bottom() - 8).name() for x in range(rect.left() + 6, rect.right() - 6)}
    assert len(row) > 1
    assert "Mean area: 3 µm² (positive control, unusual)" in plate_map.tooltip_of("A03")
    assert "Mean area: no value" in plate_map.tooltip_of("A04")
    plate_map.show_values(None)
    assert corner_colour(plate_map, "A01") != colour_of_level(0)


def test_text_on_each_colour_of_the_scale_is_readable() -> None:
    def luminance(colour: QColor) -> float:
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for level in range(LEVELS):
        one, other = sorted((luminance(colour_of_level(level)), luminance(ink_on(colour_of_level(level)))))
        assert (other + 0.05) / (one + 0.05) >= 4.5
    brightness = [luminance(colour_of_level(level)) for level in range(LEVELS)]
    assert brightness == sorted(brightness)


def test_1536_wells_are_coloured_within_a_frame(plate_map: PlateMap, qtbot: QtBot) -> None:
    known = wells(32, 48)
    plate_map.set_wells(known)
    values = {well.axis_id: float(number) for number, well in enumerate(known)}
    plate_map.set_look(MapLook.VALUES)
    best = math.inf
    for turn in range(5):
        begin = time.perf_counter()
        plate_map.show_values(WellColours(f"Measurement {turn}", "", values, 0.0, 1536.0))
        plate_map.repaint()
        best = min(best, time.perf_counter() - begin)
    assert best < 0.25  # a few milliseconds; a machine under load takes longer


def test_pictures_are_shown_in_the_wells_and_the_rest_stays_empty(plate_map: PlateMap, qtbot: QtBot) -> None:
    picture = QImage(64, 48, QImage.Format.Format_RGB888)
    picture.fill(QColor(10, 200, 30))
    plate_map.set_look(MapLook.IMAGES)
    plate_map.grab()
    plate_map.set_thumbnail("C05", picture)
    qtbot.waitUntil(lambda: not plate_map._changed, timeout=5000)
    image = plate_map.grab().toImage()
    assert image.pixelColor(middle(plate_map, "C05")) == QColor(10, 200, 30)
    assert image.pixelColor(middle(plate_map, "C06")) != QColor(10, 200, 30)
    plate_map.clear_thumbnails()
    assert plate_map.grab().toImage().pixelColor(middle(plate_map, "C05")) != QColor(10, 200, 30)


@pytest.fixture
def bar(plate_map: PlateMap, qtbot: QtBot) -> Iterator[MapBar]:
    window = QWidget()
    qtbot.addWidget(window)
    made = MapBar(plate_map, window)
    window.resize(640, 60)
    made.resize(640, 30)
    window.show()
    yield made
    window.close()


def test_the_bar_switches_looks_and_finds_measurements_by_a_part_of_their_name(
    bar: MapBar, plate_map: PlateMap, qtbot: QtBot
) -> None:
    measures: list[str] = []
    bar.measure_chosen.connect(measures.append)
    assert not bar._measures.isEnabled()
    bar.set_measures(["Nuclei count", "Nuclei mean area", "Cells mean intensity"])
    assert measures == []
    QtBot.mouseClick(bar._buttons[MapLook.VALUES], LEFT)
    assert (plate_map.look, measures) == (MapLook.VALUES, ["Nuclei count"])
    box = bar._measures
    line = box.lineEdit()
    assert line is not None
    box.setFocus()
    line.selectAll()
    qtbot.keyClicks(box, "intens")
    popup = box.completer().popup()  # type: ignore[union-attr]
    assert popup is not None
    qtbot.waitUntil(popup.isVisible, timeout=5000)
    qtbot.keyClick(popup, Qt.Key.Key_Down)
    qtbot.keyClick(popup, Qt.Key.Key_Return)
    assert (bar.measure, measures[-1]) == ("Cells mean intensity", "Cells mean intensity")
    bar.set_measures(["Cells mean intensity", "Spots"])
    assert bar.measure == "Cells mean intensity"
    plate_map.show_values(WellColours("Spots", "", {}, 0.0, 1.0))
    assert (bar.measure, measures[-1]) == ("Spots", "Cells mean intensity")
    bar.choose_measure("Cells mean intensity")
    line.selectAll()
    qtbot.keyClicks(box, "no such thing")
    plate_map.setFocus()
    line.editingFinished.emit()
    assert box.currentText() == "Cells mean intensity"
    plate_map.set_look(MapLook.STATES)
    assert bar.look_actions[MapLook.STATES].isChecked()


def test_the_bar_is_whole_at_260_pixels(bar: MapBar) -> None:
    bar.set_measures(["A measurement with a name that is far too long for such a narrow bar"])
    bar.set_look(MapLook.VALUES)
    bar.resize(260, 30)
    QApplication.processEvents()
    assert bar.minimumSizeHint().width() <= 260
    edges = [bar._select.geometry().right(), *(button.geometry().right() for button in bar._buttons.values())]
    assert max(edges) <= 260
    assert bar._choices.width() >= 60


def test_a_sample_and_an_expression_select_wells(
    bar: MapBar, plate_map: PlateMap, tmp_path: Path, qtbot: QtBot
) -> None:
    file = tmp_path / "platemap.csv"
    lines = [f"{well},{'DMSO' if well[-2:] in ('01', '02') else 'x'}" for well in block("ABCDEFGH", 1, 12)]
    file.write_text("well,control\n" + "\n".join(lines))
    bar.set_plate_map(read_plate_map(file))
    bar.menu._ask_where()
    where = plate_map.findChild(WhereDialog)
    assert where is not None
    qtbot.keyClicks(where.expression, "control == ")
    where.choose()
    assert where._problem.text()
    where.expression.setText("control == 'DMSO'")
    where.choose()
    assert set(chosen(plate_map)) == {*block("ABCDEFGH", 1, 2)}
    bar.menu._ask_sample()
    sample = plate_map.findChild(SampleDialog)
    assert sample is not None
    sample.number.setValue(3)
    sample.column.setCurrentIndex(1)
    sample.choose()
    sampled = chosen(plate_map)
    assert sorted(well[-2:] in ("01", "02") for well in sampled) == [False] * 3 + [True] * 3
    by_map = next(each for each in bar.menu.findChildren(QMenu) if "map" in each.title())
    bar.set_plate_map(None, "platemap.csv can't be read")
    assert [action.text() for action in by_map.actions()] == ["platemap.csv can't be read"]


def test_the_numbers_of_a_well_are_those_of_its_results(qtbot: QtBot, tmp_path: Path) -> None:
    record = WellRecord(
        well="B02", signature="s", files=[], elapsed_s=3.0,
        measured=[measured_image(ImageKey("B02", site), {"nuclei_count": 104}) for site in (1, 2)],
        steps=(StepCost("Segment", 2.34, device="GPU 0"),),
    )  # fmt: skip
    write_part(tmp_path, record)
    numbers = asyncio.run(read_well_numbers(str(tmp_path), "B02"))
    assert numbers is not None
    assert numbers.counts == {"Nuclei": 208}
    assert asyncio.run(read_well_numbers(str(tmp_path), "B03")) is None
    details = WellDetails()
    qtbot.addWidget(details)
    details.resize(240, 300)
    details.show()
    details.show_well(AxisProgress("B02", AxisState.COMPLETE, "Segment", 0, 1), {}, has_output=True, has_log=True)
    details.show_numbers("B03", WellNumbers({"Nuclei": 1}))
    details.show_numbers("B02", numbers)
    items = [details._steps.topLevelItem(number) for number in range(details._steps.topLevelItemCount())]
    assert [(item.text(0), item.text(1)) for item in items if item] == [
        ("1. Segment", "done, 2.3 s, GPU 0"), ("Counts", ""), ("Nuclei", "208"),
    ]  # fmt: skip
    part_path(tmp_path, "B02").write_text("{")
    damaged = asyncio.run(read_well_numbers(str(tmp_path), "B02"))
    assert damaged is not None
    assert "B02" in damaged.problem


def test_the_buttons_of_the_details_stay_where_they_are(qtbot: QtBot) -> None:
    details = WellDetails()
    qtbot.addWidget(details)
    details.setPalette(QPalette(QColor(40, 42, 46)))
    buttons = (details._cancel, details._images, details._log)
    for width in (180, 420):
        details.resize(width, 320)
        details.show()
        places = set()
        for well in (
            None,
            AxisProgress("A01", AxisState.COMPLETE, "Measure", 2, 3),
            AxisProgress("A02", AxisState.FAILED, "Segment", 1, 3, error="no such image\nTraceback\n  line"),
        ):
            details.show_well(well, {}, has_output=True, has_log=True)
            QApplication.processEvents()
            places.add(tuple(button.geometry().getRect() for button in buttons))
            assert all(button.geometry().right() <= width for button in buttons)
            assert all(button.geometry().width() >= button.minimumSizeHint().width() for button in buttons)
        assert len(places) == 1
