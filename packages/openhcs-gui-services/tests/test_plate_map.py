"""The plate map and what it says of wells."""

import time

import pytest
from PyQt6.QtCore import QEvent, QObject, QPoint, QRectF, Qt
from PyQt6.QtGui import QColor, QImage, QPainter, QPalette
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openhcs_gui_services.widgets import PlateMap, WellDetails
from openhcs_gui_services.widgets.common.colours import well_colour
from openhcs_gui_services.widgets.plates.step_names import StepNames
from openhcs_gui_services.widgets.plates.well_texts import counts_text, lay_out, step_lines, well_text
from openhcs_gui_services.widgets.plates.well_values import ValueLook, draw_value
from openhcs_runtime.components import well_name
from zmqruntime.execution import AxisProgress, AxisState

FAILED = AxisProgress("B03", AxisState.FAILED, "Segment", 1, 3, error="no such image\nmore")


def wells(rows: int, columns: int, state: AxisState = AxisState.WAITING) -> list[AxisProgress]:
    return [AxisProgress(well_name(row, column), state) for row in range(rows) for column in range(columns)]


@pytest.fixture
def plate_map(qtbot: QtBot) -> PlateMap:
    made = PlateMap()
    qtbot.addWidget(made)
    made.resize(620, 460)
    made.show()
    return made


def colour_of(image: QImage, plate_map: PlateMap, axis_id: str) -> QColor:
    """Off the middle, where signs are."""
    rect = plate_map.rect_of(axis_id)
    return image.pixelColor(rect.center() + QPoint(0, rect.height() // 4))


@pytest.mark.parametrize(
    ("last", "shape"),
    [("B03", (2, 3)), ("C04", (3, 4)), ("D06", (4, 6)), ("F08", (6, 8)), ("H12", (8, 12)), ("P24", (16, 24)),
     ("AF48", (32, 48))],
)  # fmt: skip
def test_the_smallest_usual_plate_is_drawn(last: str, shape: tuple[int, int]) -> None:
    found = lay_out(["A01", last])
    assert (found.rows, found.columns) == shape
    assert found.row_labels[0] == "A"
    assert found.column_labels[-1] == str(shape[1])


def test_axes_that_are_no_wells_stand_in_their_order() -> None:
    found = lay_out(["field 2", "field 1", "x"])
    assert list(found.places.values()) == ["field 2", "field 1", "x"]
    assert found.row_labels == ()


@pytest.mark.parametrize("shape", [(2, 3), (8, 12), (32, 48)])
def test_each_well_has_the_colour_of_its_state(plate_map: PlateMap, shape: tuple[int, int]) -> None:
    plate_map.set_wells(wells(*shape))
    plate_map.change_wells(
        [AxisProgress("A01", AxisState.COMPLETE), AxisProgress("A02", AxisState.RUNNING, percent=100.0)]
    )
    QApplication.processEvents()
    image = plate_map.grab().toImage()
    assert colour_of(image, plate_map, "A01") == well_colour(AxisState.COMPLETE, plate_map.palette())
    rect = plate_map.rect_of("A02")
    rim = {image.pixelColor(rect.center().x(), y).name() for y in range(rect.center().y(), rect.bottom())}
    assert well_colour(AxisState.RUNNING, plate_map.palette()).name() in rim
    assert colour_of(image, plate_map, "B01") != colour_of(image, plate_map, "A01")


def test_a_change_is_drawn_into_the_picture_as_if_all_were_drawn_anew(plate_map: PlateMap, qtbot: QtBot) -> None:
    plate_map.set_wells(wells(8, 12))
    plate_map.grab()
    plate_map.change_wells(
        [FAILED, AxisProgress("C05", AxisState.CANCELLED), AxisProgress("D01", AxisState.RUNNING, percent=40)]
    )
    qtbot.waitUntil(lambda: not plate_map._changed, timeout=5000)
    changed = plate_map.grab().toImage()
    plate_map.set_wells([*(plate_map.well(each.axis_id) or each for each in wells(8, 12))])
    assert plate_map.grab().toImage() == changed


def test_dark_windows_have_colours_of_their_own(plate_map: PlateMap) -> None:
    plate_map.set_wells(wells(8, 12, AxisState.COMPLETE))
    light = colour_of(plate_map.grab().toImage(), plate_map, "D05")
    plate_map.setPalette(QPalette(QColor(40, 42, 46)))
    QApplication.processEvents()
    dark = colour_of(plate_map.grab().toImage(), plate_map, "D05")
    assert dark.lightness() > light.lightness()


def test_the_mouse_and_the_keys_select_activate_and_cancel(plate_map: PlateMap, qtbot: QtBot) -> None:
    plate_map.set_wells([*wells(8, 12)[:20], FAILED])
    qtbot.mouseClick(plate_map, Qt.MouseButton.LeftButton, pos=plate_map.rect_of("A04").center())
    assert plate_map.selected == "A04"
    moves = {Qt.Key.Key_Right: "A05", Qt.Key.Key_Down: "B05", Qt.Key.Key_Left: "B04", Qt.Key.Key_Up: "A04",
             Qt.Key.Key_End: "B08", Qt.Key.Key_Home: "A01", Qt.Key.Key_F: "B03"}  # fmt: skip
    for key, expected in moves.items():
        qtbot.keyClick(plate_map, key)
        assert plate_map.selected == expected
    with qtbot.waitSignal(plate_map.well_activated) as activated:
        qtbot.keyClick(plate_map, Qt.Key.Key_Return)
    with qtbot.waitSignal(plate_map.cancel_wanted) as cancelled:
        qtbot.keyClick(plate_map, Qt.Key.Key_Delete)
    assert activated.args == cancelled.args == ["B03"]
    assert (
        plate_map.accessibleDescription() == "B03: failed in Segment (step 2 of 3): no such image. 19 waiting, 1 failed"
    )


def test_what_is_selected_stays_while_wells_change_and_goes_with_them(plate_map: PlateMap) -> None:
    plate_map.set_wells(wells(8, 12))
    plate_map.select("H12")
    plate_map.change_wells([AxisProgress("H12", AxisState.COMPLETE)])
    assert plate_map.selected == "H12"
    plate_map.set_wells(wells(2, 3))
    assert plate_map.selected is None


class Paints(QObject):
    """Counts paint events."""

    count = 0

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        self.count += event is not None and event.type() == QEvent.Type.Paint
        return False


def test_1536_wells_that_change_all_the_time_are_drawn_frame_by_frame(plate_map: PlateMap) -> None:
    names = [well.axis_id for well in wells(32, 48)]
    plate_map.set_wells(wells(32, 48))
    QApplication.processEvents()
    paints = Paints()
    plate_map.installEventFilter(paints)
    begin = time.monotonic()
    number = 0
    while time.monotonic() - begin < 1.0:
        state = list(AxisState)[number % len(AxisState)]
        plate_map.change_wells([AxisProgress(name, state, percent=number % 100) for name in names[number % 7 :: 7]])
        QApplication.processEvents()
        number += 1
    seconds = time.monotonic() - begin
    assert 1 <= paints.count <= 31 * seconds + 2
    plate_map.set_wells([AxisProgress(name, AxisState.COMPLETE) for name in names])
    assert plate_map.accessibleDescription() != ""
    QApplication.processEvents()
    assert colour_of(plate_map.grab().toImage(), plate_map, "AF48") == well_colour(
        AxisState.COMPLETE, plate_map.palette()
    )


@pytest.mark.parametrize("level", [None, 63])
def test_the_cross_of_an_excluded_well_leaves_its_name_readable(qapp: QApplication, level: int | None) -> None:
    image = QImage(60, 60, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    draw_value(painter, QRectF(0, 0, 60, 60), ValueLook(level, is_excluded=True), QPalette(), has_text=True)
    painter.end()
    middle = {image.pixel(x, y) for x in range(8, 52) for y in range(18, 42)}
    assert len(middle) == 1, "nothing is drawn where the name and the value stand"
    assert image.pixel(8, 8) not in middle, "its corners are crossed"


def test_the_names_of_steps_are_those_of_the_run_if_wells_agree() -> None:
    steps = ("Denoise", "g", "Measure")
    names = StepNames([AxisProgress("A01", AxisState.RUNNING, "Denoise", 0, 3)])
    assert names.known(steps, 3) == dict(enumerate(steps))
    assert names.known(steps, 4) == {0: "Denoise"}
    names.apply([AxisProgress("A02", AxisState.RUNNING, "Segment", 1, 3)])
    assert names.known(steps, 3) == {0: "Denoise", 1: "Segment"}
    assert names.known((), 3) == {0: "Denoise", 1: "Segment"}


def test_wells_in_words() -> None:
    assert well_text(AxisProgress("A01", AxisState.WAITING)) == "A01: waiting"
    running = AxisProgress("B06", AxisState.RUNNING, "Segment", 1, 3, 28.4)
    assert well_text(running) == "B06: running, Segment (step 2 of 3), 28 %"
    assert well_text(FAILED) == "B03: failed in Segment (step 2 of 3): no such image"
    assert step_lines(running, {0: "Denoise"}) == ["1. Denoise: done", "2. Segment: running", "Step 3"]
    assert step_lines(AxisProgress("A01", AxisState.COMPLETE, "Measure", 1, 2), {}) == [
        "Step 1: done",
        "2. Measure: done",
    ]
    assert counts_text({AxisState.COMPLETE: 3, AxisState.FAILED: 0, AxisState.RUNNING: 1}) == "1 running, 3 complete"


def test_the_details_show_steps_and_error_and_offer_what_can_be_done(qtbot: QtBot) -> None:
    details = WellDetails()
    qtbot.addWidget(details)
    details.show()
    details.show_well(FAILED, {0: "Denoise"}, has_output=True, has_log=True)
    assert not details._cancel.isEnabled()
    with qtbot.waitSignal(details.images_wanted) as wanted:
        details._images.click()
    assert wanted.args == ["B03"]
    assert "no such image" in details._error.toPlainText()
    details.show_well(AxisProgress("A01", AxisState.RUNNING), {}, has_output=False, has_log=True)
    assert details._cancel.isEnabled()
    assert not details._images.isEnabled()
    assert details._error.isHidden()
