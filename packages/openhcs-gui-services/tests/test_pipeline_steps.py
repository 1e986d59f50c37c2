"""The list of steps and its forms, with keys and mouse; everything is an edit of the text with one history."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import QMimeData, QPointF, Qt
from PyQt6.QtGui import QColor, QDropEvent, QPalette
from PyQt6.QtWidgets import QApplication, QComboBox, QLineEdit, QListWidget, QMessageBox
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.pipeline.text import outline_of
from openhcs_gui_services.widgets.common.theme import Theme, theme_palette
from openhcs_gui_services.widgets.pipeline.fields import Field
from openhcs_gui_services.widgets.pipeline.function_search import FunctionSearch
from openhcs_gui_services.widgets.pipeline.images_form import ChannelForm
from openhcs_gui_services.widgets.pipeline.name_line import NameLine
from openhcs_gui_services.widgets.pipeline.notes import Note
from openhcs_gui_services.widgets.pipeline.pane import EMPTY_PIPELINE, PipelinePane
from openhcs_gui_services.widgets.pipeline.step_rows import STEP_MIME
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.pipeline.source import load_pipeline

KEY, ALT, CTRL = Qt.Key, Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
NAMES = ["Project", "Segment", "Correct", "Measure"]


@pytest.fixture
def pane(qtbot: QtBot) -> PipelinePane:
    """A pane of the width of a dock with the built-in pipeline, whose list has the focus."""
    made = PipelinePane()
    qtbot.addWidget(made)
    made.resize(420, 600)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    made.set_source(builtin_source())
    made.steps.list.setFocus()
    return made


def names(pane: PipelinePane) -> list[str]:
    return [row.title for row in pane.steps.list.rows.rows if row.number]


def inner_line(field: Field) -> QLineEdit:
    found = field.inner if isinstance(field.inner, QLineEdit) else field.inner.findChild(QLineEdit)
    assert isinstance(found, QLineEdit)
    return found


def test_keys_of_the_list_edit_the_text_and_undo_takes_each_back(qtbot: QtBot, pane: PipelinePane) -> None:
    steps, text = pane.steps.list, pane.source()
    steps.choose_step(2)
    texts = [text]
    for key, modifier, wanted in (
        (KEY.Key_Down, ALT, ["Project", "Correct", "Segment", "Measure"]),
        (KEY.Key_D, CTRL, ["Project", "Correct", "Segment", "Segment copy", "Measure"]),
        (KEY.Key_Up, ALT, ["Project", "Correct", "Segment copy", "Segment", "Measure"]),
        (KEY.Key_Delete, Qt.KeyboardModifier.NoModifier, ["Project", "Correct", "Segment", "Measure"]),
        (KEY.Key_Space, Qt.KeyboardModifier.NoModifier, ["Project", "Correct", "Segment", "Measure"]),
    ):
        qtbot.keyClick(steps, key, modifier)
        assert names(pane) == wanted == [step.name for step in load_pipeline(pane.source()).steps]
        texts.append(pane.source())
    assert [step.enabled for step in load_pipeline(pane.source()).steps] == [True, True, False, True]
    for before in reversed(texts[:-1]):
        qtbot.keyClick(steps, KEY.Key_Z, CTRL)
        assert pane.source() == before
    assert steps.current is not None
    assert steps.current.title == "Segment"
    qtbot.keyClick(steps, KEY.Key_Z, CTRL | Qt.KeyboardModifier.ShiftModifier)
    assert pane.source() == texts[1]


def test_a_step_is_moved_by_dropping_it(pane: PipelinePane) -> None:
    steps = pane.steps.list
    for number, row, below, wanted in (
        (4, 1, False, ["Measure", "Project", "Segment", "Correct"]),
        (1, 4, True, ["Project", "Segment", "Correct", "Measure"]),
        (2, 2, True, ["Project", "Segment", "Correct", "Measure"]),
    ):
        data = QMimeData()
        data.setData(STEP_MIME, str(number).encode())
        place = steps.visualRect(steps.rows.index(steps.rows.row_of(row)))
        at = QPointF(place.center().x(), place.bottom() - 2 if below else place.top() + 2)
        buttons, modifiers = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        steps.dropEvent(QDropEvent(at, Qt.DropAction.MoveAction, data, buttons, modifiers))
        assert names(pane) == wanted


def test_a_step_is_turned_off_by_its_box_and_renamed_by_f2(qtbot: QtBot, pane: PipelinePane) -> None:
    steps = pane.steps.list
    steps.choose_step(3)
    place = steps.visualRect(steps.rows.index(3))
    viewport = steps.viewport()
    assert viewport is not None
    metrics = steps.fontMetrics()
    box = place.topLeft()
    box.setX(box.x() + 6 + metrics.horizontalAdvance("00") + 6 + 8)
    box.setY(box.y() + 6 + metrics.height() // 2)
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=box)
    assert "enabled=False" in pane.source()
    assert not steps.rows.rows[3].is_enabled
    qtbot.keyClick(steps, KEY.Key_F2)
    line = viewport.findChild(QLineEdit)
    assert isinstance(line, QLineEdit)
    qtbot.keyClicks(line, "Flat")
    qtbot.keyClick(line, KEY.Key_Return)
    qtbot.waitUntil(lambda: 'name="Flat"' in pane.source())
    assert names(pane) == ["Project", "Segment", "Flat", "Measure"]


def test_a_number_that_is_typed_is_one_edit_whatever_the_pause(qtbot: QtBot, pane: PipelinePane) -> None:
    pane.steps.list.choose_step(3)
    text = pane.source()
    field = pane.steps.panel.form_of().widget_of("radius_px")
    line = inner_line(field)
    qtbot.keyClick(pane.steps.list, KEY.Key_Return)  # to the form
    assert pane.steps.panel.channel.field.inner.hasFocus()
    line.setFocus()
    qtbot.mouseDClick(line, Qt.MouseButton.LeftButton)
    assert line.selectedText() == line.text() == "200"
    qtbot.keyClick(line, "3")
    qtbot.waitUntil(lambda: '"radius_px": 3.0' in pane.source())  # a pause: the edit is taken
    qtbot.keyClick(line, "0")
    qtbot.keyClick(line, KEY.Key_Return)
    assert '"radius_px": 30.0' in pane.source()
    assert line.text() == "30"
    qtbot.keyClick(line, KEY.Key_Z, CTRL)
    assert pane.source() == text
    assert line.text() == "200"
    qtbot.keyClick(line, KEY.Key_Z, CTRL | Qt.KeyboardModifier.ShiftModifier)
    assert '"radius_px": 30.0' in pane.source()


def test_an_optional_number_is_automatic_when_it_is_empty(qtbot: QtBot, pane: PipelinePane) -> None:
    pane.set_source(builtin_source("spots_in_cells"))
    pane.steps.list.choose_step(5)
    field = pane.steps.panel.form_of().widget_of("diameter_um")
    line = inner_line(field)
    assert line.text() == "automatic"
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, "0,5")
    qtbot.keyClick(line, KEY.Key_Return)
    assert '"diameter_um": 0.5' in pane.source()
    line.selectAll()
    qtbot.keyClick(line, KEY.Key_Backspace)
    qtbot.keyClick(line, KEY.Key_Return)
    assert "diameter_um" not in pane.source()


def test_a_setting_is_edited_where_steps_use_it(pane: PipelinePane) -> None:
    pane.steps.list.choose_step(2)
    pane.steps.panel.form_of().widget_of("diameter_um").value = 12.5
    assert "DIAMETER_UM = 12.5  # typical" in pane.source()
    assert '"diameter_um": DIAMETER_UM' in pane.source()
    pane.set_channels({1: "DAPI", 2: "GFP"})
    pane.steps.list.choose(0)
    pane.steps.panel.settings_form.widget_of("CHANNEL").value = "DAPI"
    assert 'CHANNEL = "DAPI"  # found' in pane.source()


def test_channel_images_and_saving_are_fields(pane: PipelinePane) -> None:
    pane.set_channels({1: "DAPI", 2: "GFP"})
    pane.steps.list.choose_step(4)
    panel = pane.steps.panel
    panel.channel.field.value = "2"
    panel.together.boxes["site"].click()
    panel.settings_form.widget_of("materialize").value = True
    panel.settings_form.widget_of("keep").value = "labels"
    step = load_pipeline(pane.source()).steps[3]
    assert step.branches().keys() == {"2"}
    assert [str(each) for each in step.variable_components] == ["site", "z_index"]
    assert (step.materialize, str(step.keep)) == (True, "labels")
    assert "2: GFP" in pane.steps.list.rows.rows[4].summary
    panel.channel.field.value = None
    assert not load_pipeline(pane.source()).steps[3].is_dispatched


def test_a_step_with_several_channels_has_a_field_for_each(pane: PipelinePane) -> None:
    pane.set_channels({1: "DAPI", 2: "GFP", 3: "Cy5"})
    pane.set_source(builtin_source("nuclei_cells_cytoplasm"))
    pane.steps.list.choose_step(3)
    panel = pane.steps.panel
    first, second = (form for form in panel.findChildren(ChannelForm) if form is not panel.channel)
    box = second.field.inner
    assert isinstance(box, QComboBox)
    assert [box.itemData(at) for at in range(box.count())] == ["CELLS", "1", "2", "3"]  # not NUCLEI, not all
    second.field.value = "3"
    assert load_pipeline(pane.source()).steps[2].branches().keys() == {"nuclei", "3"}
    assert first.field.value == "NUCLEI"


def test_a_syntax_error_keeps_the_list_in_grey(qtbot: QtBot, pane: PipelinePane) -> None:
    pane.show_text(8)
    with qtbot.waitSignal(pane.source_changed):
        qtbot.keyClicks(pane.editor, "(")
    assert names(pane) == NAMES
    assert not pane.steps.list.isEnabled()
    pane.tabs.setCurrentIndex(0)
    pane.undo()
    assert pane.steps.list.isEnabled()


def test_a_problem_is_marked_at_its_step_and_a_click_goes_there(qtbot: QtBot, pane: PipelinePane) -> None:
    pane.steps.list.choose_step(1)
    pane.editor.replace_text(pane.source().replace('"radius_px"', '"radius"'))
    with qtbot.waitSignal(pane.source_changed):
        pass
    assert [bool(row.problems) for row in pane.steps.list.rows.rows] == [False, False, False, True, False]
    shown = pane.findChild(QListWidget, "problems")
    assert isinstance(shown, QListWidget)
    item, viewport = shown.item(0), shown.viewport()
    assert item is not None
    assert viewport is not None
    assert "did you mean radius_px?" in item.text()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=shown.visualItemRect(item).center())
    assert pane.steps.list.current is pane.steps.list.rows.rows[3]


def test_a_function_is_found_and_added(qtbot: QtBot, pane: PipelinePane) -> None:
    qtbot.mouseClick(pane.steps.add, Qt.MouseButton.LeftButton)
    dialog = pane.findChild(FunctionSearch)
    assert isinstance(dialog, FunctionSearch)
    qtbot.keyClicks(dialog.typed, "texture")
    first = dialog.list.item(0)
    assert first is not None
    assert first.text() == "Measure texture"
    assert "measure_texture" in dialog.docs.toPlainText()
    assert "`" not in dialog.docs.toPlainText()
    qtbot.keyClick(dialog.typed, KEY.Key_Return)
    assert "FunctionStep({CHANNEL: measure_texture}, variable_components=Z, group_by=BY)," in pane.source()
    assert pane.steps.list.current is pane.steps.list.rows.rows[5]
    assert load_pipeline(pane.source()).steps[4].name == "measure_texture"


def test_find_and_replace(qtbot: QtBot, pane: PipelinePane) -> None:
    qtbot.keyClick(pane.steps.list, KEY.Key_F, CTRL)
    bar = pane.find_bar
    qtbot.keyClicks(bar.wanted, "channel")
    assert pane.editor.textCursor().selectedText().lower() == "channel"
    first = pane.editor.current_line
    qtbot.keyClick(bar.wanted, KEY.Key_Return)
    assert pane.editor.textCursor().blockNumber() + 1 >= first
    bar.wanted.setText("CHANNEL:")
    bar.replacement.setText("1:")
    text = pane.source()
    bar.replace_all()
    assert pane.source().count("{1:") == 4
    pane.undo()
    assert pane.source() == text


def test_an_empty_pipeline_is_asked_for_and_undone(qtbot: QtBot, pane: PipelinePane, tmp_path: Path) -> None:
    pane.save_to(tmp_path / "mine.py")
    pane.editor.appendPlainText("# edited")
    edited = pane.source()
    pane.discard_then(lambda: pane.start_new(EMPTY_PIPELINE, "New pipeline"))
    box = pane.findChild(QMessageBox)
    assert isinstance(box, QMessageBox)
    assert pane.source() == edited
    box.done(QMessageBox.StandardButton.Discard)
    assert (pane.source(), pane.name, pane.path) == (EMPTY_PIPELINE, "New pipeline", None)
    pane.undo()
    assert (pane.source(), pane.name, pane.path) == (edited, "mine.py", tmp_path / "mine.py")


def test_the_name_is_edited_in_its_line(qtbot: QtBot, pane: PipelinePane) -> None:
    line = pane.findChild(NameLine)
    assert isinstance(line, NameLine)
    line.line.setFocus()
    line.line.selectAll()
    qtbot.keyClicks(line.line, "My count")
    with qtbot.waitSignal(pane.name_changed) as heard:
        qtbot.keyClick(line.line, KEY.Key_Return)
    assert heard.args == [pane.name] == ["My count"]
    assert not line.line.hasFocus()


def test_nothing_moves_when_the_name_changes(qtbot: QtBot, pane: PipelinePane) -> None:
    def sizes() -> tuple[object, ...]:
        return pane.sizeHint(), pane.minimumSizeHint(), pane.tabs.geometry(), pane.steps.list.geometry()

    before = sizes()
    pane.steps.list.choose_step(4)
    pane.set_source(builtin_source(), name="Screen_2026-11-29_Wirkstoffbibliothek_Nachkontrolle_Wiederholung_03")
    pane.editor.insertPlainText("# edited\n")
    with qtbot.waitSignal(pane.source_changed):
        pass
    assert pane.is_modified
    assert sizes() == before
    assert pane.minimumSizeHint().width() <= 420


def _luminance(colour: QColor) -> float:
    parts = (colour.redF(), colour.greenF(), colour.blueF())
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [Theme.LIGHT, Theme.DARK])
def test_help_texts_are_readable(qapp: QApplication, pane: PipelinePane, theme: Theme) -> None:
    before = qapp.palette()
    try:
        qapp.setPalette(theme_palette(theme))
        pane.steps.list.choose_step(2)
        notes = [note for note in pane.steps.panel.findChildren(Note) if note.text() and note.isVisible()]
        assert len(notes) >= 5
        roles = QPalette.ColorRole
        for note in notes:
            assert "`" not in note.text()
            two = sorted(_luminance(note.palette().color(role)) for role in (roles.WindowText, roles.Window))
            assert (two[1] + 0.05) / (two[0] + 0.05) >= 4.5
    finally:
        qapp.setPalette(before)


def test_both_views_lose_nothing(pane: PipelinePane) -> None:
    made = (
        "# mine\nfrom x import more, make\n\npipeline_steps = [make(1), *more]  # two\npipeline_steps.append(make(2))\n"
    )
    pane.set_source(made)
    rows = pane.steps.list.rows.rows
    assert [row.title for row in rows] == ["make(1)", "*more", "More steps, written in Python"]
    pane.steps.list.choose(2)
    pane.tabs.setCurrentIndex(1)
    assert pane.editor.current_line == 5
    pane.tabs.setCurrentIndex(0)
    assert pane.source() == made
    assert outline_of(pane.source()).python_line == 5


Change = Callable[[PipelinePane], None]


@pytest.mark.parametrize(
    "change",
    [
        lambda pane: pane.steps.panel.form_of().widget_of("radius_px").inner.setFocus(),
        lambda pane: pane.editor.insertPlainText("# text\n"),
        lambda pane: pane.steps.list.toggle.trigger(),
    ],
)
def test_each_edit_is_reported(qtbot: QtBot, pane: PipelinePane, change: Change) -> None:
    pane.steps.list.choose_step(3)
    with qtbot.waitSignal(pane.source_changed) as heard:
        change(pane)
        box = pane.steps.panel.form_of().widget_of("radius_px").inner
        if box.hasFocus():
            qtbot.keyClick(box, KEY.Key_Up)
    assert heard.args == [pane.source()]
    assert pane.source() != builtin_source()
