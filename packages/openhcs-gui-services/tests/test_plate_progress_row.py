"""The row as Qt draws it."""

import pytest
from PyQt6.QtGui import QColor, QImage
from PyQt6.QtWidgets import QApplication, QLabel, QProgressBar
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services import PlateSnapshot, PlateStatus, present_plate
from openhcs_gui_services.widgets import PlateProgressRow


@pytest.fixture
def row(qtbot: QtBot) -> PlateProgressRow:
    """A row on the offscreen platform, wide enough for its texts, in the one style that all systems have."""
    QApplication.setStyle("Fusion")
    made = PlateProgressRow("plate_01")
    qtbot.addWidget(made)
    made.resize(480, 90)
    made.show()
    qtbot.waitExposed(made)
    return made


def show(row: PlateProgressRow, plate: PlateSnapshot) -> None:
    row.show_presentation(present_plate(plate))


def texts(row: PlateProgressRow) -> list[str]:
    return [label.text() for label in row.findChildren(QLabel)]


def bar(row: PlateProgressRow) -> QProgressBar:
    found = row.findChild(QProgressBar)
    assert isinstance(found, QProgressBar)
    return found


def picture(row: PlateProgressRow) -> QImage:
    return row.grab().toImage()


def coloured(image: QImage, colour: QColor, tolerance: int = 60) -> int:
    """How many pixels of the image are about of this colour; styles shade it."""
    near = 0
    for y in range(image.height()):
        for x in range(image.width()):
            found = image.pixelColor(x, y)
            distance = [found.red() - colour.red(), found.green() - colour.green(), found.blue() - colour.blue()]
            near += max(map(abs, distance)) < tolerance
    return near


def test_the_row_shows_what_the_presenter_says(row: PlateProgressRow) -> None:
    show(
        row,
        PlateSnapshot(
            PlateStatus.RUNNING,
            percent=42,
            elapsed_seconds=90,
            remaining_seconds=124,
            axis_id="B06",
            step_name="Segment",
            total_steps=3,
        ),
    )
    assert texts(row) == ["plate_01", "Running 42 %", "Segment (step 1 of 3), well B06", "1 min 30 s, about 3 min left"]
    assert (bar(row).minimum(), bar(row).maximum(), bar(row).value()) == (0, 100, 42)
    assert "well B06" in row.accessibleDescription()


def test_a_pending_plate_has_a_bar_without_an_end(row: PlateProgressRow) -> None:
    show(row, PlateSnapshot(PlateStatus.COMPILE_PENDING))
    assert bar(row).maximum() == 0
    show(row, PlateSnapshot(PlateStatus.COMPILED))
    assert bar(row).maximum() == 100


def test_the_bar_grows_in_the_picture(row: PlateProgressRow) -> None:
    highlight = row.palette().highlight().color()
    filled = []
    for percent in (0, 25, 100):
        show(row, PlateSnapshot(PlateStatus.RUNNING, percent=percent))
        filled.append(coloured(picture(row), highlight))
    assert filled[0] * 2 < filled[1]
    assert filled[1] * 3 < filled[2]


def test_a_failed_plate_is_red_in_the_picture_and_a_new_run_is_not(row: PlateProgressRow) -> None:
    red = QColor(0xC0, 0x39, 0x2B)
    show(row, PlateSnapshot(PlateStatus.FAILED, percent=100, failed_wells=2))
    assert coloured(picture(row), red) > 100
    show(row, PlateSnapshot(PlateStatus.RUNNING, percent=100))
    assert coloured(picture(row), red) == 0


def test_a_name_is_never_markup_and_a_long_one_does_not_widen_the_row(qtbot: QtBot) -> None:
    row = PlateProgressRow("<b>plate</b>" * 100)
    qtbot.addWidget(row)
    assert row.minimumSizeHint().width() < 300
    assert texts(row)[0].startswith("<b>")
