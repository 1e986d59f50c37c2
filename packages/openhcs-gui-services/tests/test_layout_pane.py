"""The layout editor with mouse and keyboard, and the file that it writes next to a plate."""

import json
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QMimeData, QPoint, QPointF, QSettings, Qt, QUrl
from PyQt6.QtGui import QColor, QDropEvent, QGuiApplication, QKeySequence
from PyQt6.QtWidgets import QDialogButtonBox, QMessageBox
from pytestqt.qtbot import QtBot

from openhcs_gui_services import LayoutPane, MainWindow
from openhcs_gui_services.services.layout.table import LayoutTable
from openhcs_gui_services.services.layout.templates import TEMPLATES
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.layout.series_dialog import SeriesDialog
from openhcs_gui_services.widgets.layout.value_colours import text_colour, value_colours
from openhcs_gui_services.window.panes import LAYOUT, WindowPanes
from openhcs_runtime.plate_map import find_plate_map, read_plate_map
from openhcs_runtime.wells import well_position
from zmqruntime.testing import until

Scene = Callable[[LayoutPane, Path], Coroutine[None, None, None]]
WELLS = ("A01", "A02", "A03", "B01", "B02", "B03")
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def play(qt_loop: qasync.QEventLoop, qtbot: QtBot, tmp_path: Path) -> Callable[[Scene], None]:
    """Play a scene with a pane that shows a plate of six wells, p6, without a map."""
    plate = tmp_path / "p6"
    plate.mkdir()

    def played(scene: Scene) -> None:
        pane = LayoutPane()
        qtbot.addWidget(pane)
        pane.resize(420, 560)
        pane.show()

        async def work() -> None:
            await shown(pane, plate)
            await scene(pane, plate)
            await pane.end()

        qt_loop.run_until_complete(work())

    return played


async def shown(pane: LayoutPane, plate: Path, *, has_map: bool = False) -> None:
    pane.show_plate(str(plate), plate.name, WELLS)
    await until(lambda: pane.parts.body.isVisible() and bool(pane.table.columns) == has_map, pane.shown.connect)


def click(pane: LayoutPane, well: str, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    view = pane.parts.grid.viewport()
    assert view is not None
    QtBot.mouseClick(view, Qt.MouseButton.LeftButton, modifier, centre(pane, well))


def centre(pane: LayoutPane, well: str) -> QPoint:
    return pane.parts.grid.visualRect(pane.parts.model.index(*well_position(well))).center()


def type_value(pane: LayoutPane, text: str) -> None:
    """Type a value with the focus on the wells, and Return."""
    QtBot.keyClicks(pane.parts.grid, text[0])
    QtBot.keyClicks(pane.parts.value, text[1:])
    QtBot.keyClick(pane.parts.value, Qt.Key.Key_Return)


async def save(pane: LayoutPane, press: str = "") -> None:
    """Save, and press a button of the question that comes."""
    saved: list[str] = []
    pane.map_saved.connect(saved.append)
    if press:
        answer(await question(pane), press)
    else:
        pane.parts.actions.save.trigger()
    await until(lambda: bool(saved), pane.map_saved.connect)


async def question(pane: LayoutPane) -> QMessageBox:
    """Save, and return the question that comes."""
    asked: list[QMessageBox] = []
    connection = pane.asked.connect(asked.append)
    pane.parts.actions.save.trigger()
    await until(lambda: bool(asked), pane.asked.connect)
    pane.asked.disconnect(connection)
    return asked[0]


def answer(box: QMessageBox, text: str) -> None:
    next(button for button in box.buttons() if text in button.text()).click()


def test_wells_are_selected_typed_into_undone_and_saved(play: Callable[[Scene], None]) -> None:
    async def scene(pane: LayoutPane, plate: Path) -> None:
        assert "no plate map yet" in pane.parts.file.text()
        assert not pane.parts.actions.save.isEnabled()
        click(pane, "A01")
        click(pane, "B01", SHIFT)
        click(pane, "B03", CONTROL)
        assert pane.parts.grid.selected_wells() == ("A01", "B01", "B03")
        type_value(pane, "DMSO")
        assert pane.table.cells == {"compound": dict.fromkeys(("A01", "B01", "B03"), "DMSO")}
        assert pane.parts.grid.hasFocus()
        header = pane.parts.grid.horizontalHeader()
        assert header is not None
        view = header.viewport()
        assert view is not None
        QtBot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(header.sectionViewportPosition(1) + 5, 5))
        assert pane.parts.grid.selected_wells() == ("A02", "B02")
        type_value(pane, "acid")
        QtBot.keySequence(pane.parts.grid, QKeySequence(QKeySequence.StandardKey.Undo))
        assert pane.table.values("compound") == {"DMSO": ("A01", "B01", "B03")}
        QtBot.keySequence(pane.parts.grid, QKeySequence(QKeySequence.StandardKey.Redo))
        assert pane.table.values("compound")["acid"] == ("A02", "B02")
        await save(pane)
        assert read_plate_map(find_plate_map(plate)).value("A02", "compound") == "acid"
        assert not pane.parts.actions.save.isEnabled()
        assert pane.modified == ()

    play(scene)


def test_a_drag_selects_a_block_and_delete_empties_it(play: Callable[[Scene], None]) -> None:
    async def scene(pane: LayoutPane, plate: Path) -> None:
        view = pane.parts.grid.viewport()
        assert view is not None
        QtBot.mousePress(view, Qt.MouseButton.LeftButton, pos=centre(pane, "A01"))
        QtBot.mouseMove(view, centre(pane, "A02"))
        QtBot.mouseMove(view, centre(pane, "B02"))
        QtBot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=centre(pane, "B02"))
        assert pane.parts.grid.selected_wells() == ("A01", "A02", "B01", "B02")
        type_value(pane, "x")
        click(pane, "A02")
        QtBot.keyClick(pane.parts.grid, Qt.Key.Key_Delete)
        assert pane.table.values("compound") == {"x": ("A01", "B01", "B02")}
        item = pane.parts.legend.item(0)
        assert item is not None
        assert item.text() == "x (3)"
        rect = pane.parts.legend.visualItemRect(item)
        QtBot.mouseClick(pane.parts.legend.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
        assert pane.parts.grid.selected_wells() == ("A01", "B01", "B02")

    play(scene)


def test_a_dilution_fills_doses_and_units(play: Callable[[Scene], None]) -> None:
    async def scene(pane: LayoutPane, plate: Path) -> None:
        pane.parts.column.setCurrentIndex(pane.parts.column.findData("dose"))
        pane.parts.column.activated.emit(pane.parts.column.currentIndex())
        pane.parts.grid.select_wells(WELLS)
        pane.parts.actions.series.trigger()
        dialog = pane.findChild(SeriesDialog)
        assert isinstance(dialog, SeriesDialog)
        assert dialog.preview == "10, 3.33333, 1.11111 (3 values)"
        dialog.amount.clear()
        QtBot.keyClicks(dialog.amount, "0")
        assert "factor" in dialog.preview
        dialog.accept()
        assert pane.table == LayoutTable()
        dialog.amount.setText("10")
        box = dialog.findChild(QDialogButtonBox)
        assert box is not None
        QtBot.mouseClick(box.button(QDialogButtonBox.StandardButton.Ok), Qt.MouseButton.LeftButton)
        assert pane.table.values("dose") == {"10": ("A01", "B01"), "1": ("A02", "B02"), "0.1": ("A03", "B03")}
        assert pane.table.values("dose_unit") == {"uM": WELLS}
        pane.commands.undo()
        assert pane.table == LayoutTable(), "one edit, one undo"

    play(scene)


def test_cells_go_to_a_spreadsheet_and_come_back(play: Callable[[Scene], None]) -> None:
    async def scene(pane: LayoutPane, plate: Path) -> None:
        clipboard = QGuiApplication.clipboard()
        assert clipboard is not None
        clipboard.setText("acid\tbase\nDMSO\t\n")
        click(pane, "A02")
        QtBot.keyClick(pane.parts.grid, Qt.Key.Key_V, CONTROL)
        assert pane.table.cells["compound"] == {"A02": "acid", "A03": "base", "B02": "DMSO"}
        assert pane.parts.grid.selected_wells() == ("A02", "A03", "B02", "B03")
        QtBot.keyClick(pane.parts.grid, Qt.Key.Key_C, CONTROL)
        assert clipboard.text() == "acid\tbase\nDMSO\t\n"
        clipboard.setText("well\tcontrol\nH12\tneg\n")
        QtBot.keyClick(pane.parts.grid, Qt.Key.Key_V, CONTROL)
        assert "larger plate" in pane.notes[0]
        pane.parts.shape.setCurrentIndex(4)
        pane.parts.shape.activated.emit(4)
        QtBot.keyClick(pane.parts.grid, Qt.Key.Key_V, CONTROL)
        assert pane.table.text("control", "H12") == "neg"
        await until(lambda: any("no images of H12" in note for note in pane.notes), pane.shown.connect)

    play(scene)


def test_a_dropped_map_is_imported_and_a_bad_one_says_why(play: Callable[[Scene], None], tmp_path: Path) -> None:
    good, bad = tmp_path / "from_lab.json", tmp_path / "bad.csv"
    good.write_text(json.dumps([{"well": "A01", "compound": "acid", "dose": 0.3}]))
    bad.write_text("well,compound\nA01,x\nA1,y\n")

    def drop(pane: LayoutPane, path: Path) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        middle, buttons = QPointF(pane.rect().center()), Qt.MouseButton.LeftButton
        pane.dropEvent(QDropEvent(middle, Qt.DropAction.CopyAction, data, buttons, Qt.KeyboardModifier.NoModifier))

    async def scene(pane: LayoutPane, plate: Path) -> None:
        drop(pane, bad)
        await until(lambda: any("A01 is also in line 2" in note for note in pane.notes), pane.shown.connect)
        drop(pane, good)
        await until(lambda: pane.table.columns == ("compound", "dose"), pane.shown.connect)
        assert pane.modified == ("p6",)
        await until(lambda: any("have no unit" in note for note in pane.notes), pane.shown.connect)
        pane.parts.actions.undo.trigger()
        assert pane.table == LayoutTable()

    play(scene)


def test_a_map_of_another_form_is_asked_for_and_kept(play: Callable[[Scene], None]) -> None:
    async def scene(pane: LayoutPane, plate: Path) -> None:
        path = plate / "platemap.json"
        path.write_text('[{"well": "A01", "compound": "acid"}]')
        await shown(pane, plate)  # nothing is read again while the plate stays the same
        pane.parts.actions.reload.trigger()
        await until(lambda: pane.table.text("compound", "A01") == "acid", pane.shown.connect)
        click(pane, "A01")
        type_value(pane, "base")
        pane.parts.actions.reload.trigger()
        await until(lambda: pane.table.text("compound", "A01") == "acid", pane.shown.connect)
        pane.parts.actions.undo.trigger()
        assert pane.table.text("compound", "A01") == "base", "an edit is not lost by reading the file again"
        answer(await question(pane), "Cancel")
        assert find_plate_map(plate) == path
        await save(pane, "Use CSV")
        assert find_plate_map(plate) == plate / "platemap.csv"
        assert json.loads((plate / "platemap_before.json").read_text())[0]["compound"] == "acid"

    play(scene)


def test_edits_stay_when_another_plate_is_shown_and_are_asked_for_at_the_end(play: Callable[[Scene], None]) -> None:
    async def scene(pane: LayoutPane, plate: Path) -> None:
        other = plate.parent / "p7"
        other.mkdir()
        (plate.parent / "p7_platemap.csv").write_text("well,dose\nA01,3\n")
        pane.commands.apply_template(TEMPLATES[3])
        await shown(pane, other, has_map=True)
        assert pane.table.text("dose", "A01") == "3"
        await shown(pane, plate, has_map=True)
        assert pane.table.values("control")["negative"] == ("A01", "B01")
        closed: list[bool] = []
        pane.discard_then(lambda: closed.append(True))
        box = pane.findChild(QMessageBox)
        assert isinstance(box, QMessageBox)
        answer(box, "Cancel")
        assert closed == []
        pane.discard_then(lambda: closed.append(True))
        box = pane.findChildren(QMessageBox)[-1]
        QtBot.keyClick(box, Qt.Key.Key_Return)
        await until(lambda: closed == [True], pane.map_saved.connect)
        saved = find_plate_map(plate)
        assert saved is not None
        assert read_plate_map(saved).value("A01", "control") == "negative", "Return loses no work"
        closed.clear()
        pane.commands.apply_template(TEMPLATES[0])
        pane.discard_then(lambda: closed.append(True))
        answer(pane.findChildren(QMessageBox)[-1], "Cancel")
        pane.commands.undo()
        pane.discard_then(lambda: closed.append(True))
        assert closed == [True]

    play(scene)


def test_what_can_not_be_saved_says_why(play: Callable[[Scene], None]) -> None:
    async def scene(pane: LayoutPane, plate: Path) -> None:
        (plate / "platemap.csv").write_text("well,dose\nA01,3\n")
        (plate / "platemap.json").write_text("[]")
        pane.parts.actions.reload.trigger()
        await until(lambda: "several plate maps" in pane.parts.message.text(), pane.shown.connect)
        assert not pane.parts.actions.save.isEnabled()
        pane.show_plate("https://example.org/p.zarr", "p", WELLS)
        await until(lambda: any("on the net" in note for note in pane.notes), pane.shown.connect)
        click(pane, "A01")
        type_value(pane, "acid")
        assert not pane.parts.actions.save.isEnabled()
        pane.export_to(plate.parent / "out.csv")
        assert read_plate_map(plate.parent / "out.csv").value("A01", "compound") == "acid"
        pane.show_plate("")
        assert pane.parts.message.isVisible()

    play(scene)


def test_colours_are_distinct_and_texts_on_them_readable() -> None:
    names = [f"compound {number}" for number in range(24)]
    for texts in (names, ["0", "0.1", "1", "30"]):
        colours = value_colours(texts)
        assert len({colour.name() for colour in colours.values()}) == len(texts)
        assert all(_contrast(colour, text_colour(colour)) >= 4.5 for colour in colours.values())


def _contrast(one: QColor, other: QColor) -> float:
    lights = sorted(_luminance(colour) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: QColor) -> float:
    parts = (colour.redF(), colour.greenF(), colour.blueF())
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.usefixtures("no_leaks")
def test_the_window_has_the_layout_of_the_current_plate(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, isolated_home: Path, small_plate: Path, tmp_path: Path
) -> None:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)

    async def scene() -> None:
        workspace = PlateWorkspace(7897, memory=isolated_home / "memory")
        window = MainWindow(workspace, settings, WindowPanes(workspace, settings, None, 7897))
        qtbot.addWidget(window)
        window.show()
        try:
            pane = window.show_pane(LAYOUT)
            assert isinstance(pane, LayoutPane)
            assert "Choose a plate" in pane.parts.message.text()
            window.manager.add_plates([str(small_plate)])
            window.manager.table.selectRow(0)
            await until(lambda: pane.parts.model.shape.size == 6 and pane.parts.body.isVisible(), pane.shown.connect)
            assert pane.plate == str(small_plate)
        finally:
            await window.end()
            await workspace.close()

    qt_loop.run_until_complete(scene())
