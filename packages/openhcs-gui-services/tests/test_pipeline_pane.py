"""The pipeline pane as Qt shows it; compile errors come from a real server."""

from pathlib import Path

import pytest
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QColor, QPalette, QTextDocument
from PyQt6.QtWidgets import QLabel, QListWidget, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.pipeline.source_file import SourceFileError, load_source, save_source
from openhcs_gui_services.services.pipeline.step_form import read_library
from openhcs_gui_services.services.plates.wording import window_text
from openhcs_gui_services.widgets.pipeline import pane as pane_module
from openhcs_gui_services.widgets.pipeline.file_question import FileAnswer
from openhcs_gui_services.widgets.pipeline.highlighter import PythonHighlighter
from openhcs_gui_services.widgets.pipeline.pane import EMPTY_PIPELINE, PipelinePane
from openhcs_gui_services.widgets.pipeline.step_form import StepForm
from openhcs_gui_services.widgets.pipeline.texts import ShownText
from openhcs_gui_services.window.command_palette import commands_in
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.service.client import ZMQExecutionClient

PORT = 7905


@pytest.fixture
def pane(qtbot: QtBot) -> PipelinePane:
    """A pane on the screen with the built-in pipeline."""
    made = PipelinePane()
    qtbot.addWidget(made)
    made.resize(900, 500)
    made.show()
    qtbot.waitExposed(made)
    made.set_source(builtin_source())
    return made


def listed(pane: PipelinePane) -> list[str]:
    shown = pane.findChild(QListWidget, "problems")
    assert isinstance(shown, QListWidget)
    items = [shown.item(number) for number in range(shown.count())]
    return [item.text() for item in items if item is not None]


def form_of(pane: PipelinePane, function: int = 0) -> StepForm:
    return pane.steps.panel.form_of(function)


def answer(qtbot: QtBot, pane: PipelinePane, button: QMessageBox.StandardButton) -> None:
    box = pane.findChild(QMessageBox)
    assert isinstance(box, QMessageBox)
    pressed = box.button(button)
    assert pressed is not None
    with qtbot.waitSignal(box.destroyed):
        # In a loop, as a person's click is: Qt 6.6 does not delete in a loop what was closed before it began.
        QTimer.singleShot(0, lambda: qtbot.mouseClick(pressed, Qt.MouseButton.LeftButton))


def test_a_syntax_error_is_marked_while_typing_and_goes_when_mended(qtbot: QtBot, pane: PipelinePane) -> None:
    text = pane.source()
    with qtbot.waitSignal(pane.source_changed):
        pane.editor.go_to(8)
        qtbot.keyClicks(pane.editor, "(")
    assert listed(pane) == ["Line 8: syntax error: '(' was never closed"]
    assert pane.editor.problem_at(8) is not None
    assert len(pane.editor.extraSelections()) == 3
    with qtbot.waitSignal(pane.source_changed):
        pane.editor.undo()
    assert listed(pane) == []
    assert pane.editor.problem_at(8) is None
    assert pane.source() == text


@pytest.mark.usefixtures("isolated_home", "no_leaks")
def test_what_the_compile_service_says_is_marked_and_a_click_goes_there(
    qtbot: QtBot, pane: PipelinePane, small_plate: Path
) -> None:
    text = builtin_source().replace('{"radius_px": 200.0}', '{"size": 3}')
    pane.set_source(text)
    checked: list[str] = []
    pane.check_requested.connect(checked.append)
    check = next(each for each in pane.findChildren(QPushButton) if each.text() == "Check")
    qtbot.mouseClick(check, Qt.MouseButton.LeftButton)
    assert checked == [text]
    with ZMQExecutionClient(PORT, persistent=False) as client:
        ended = client.wait(client.compile_pipeline(small_plate, checked[0]).execution_id, 60)
    assert ended.refusal is not None
    pane.show_problems(ended.refusal.problems)
    assert pane.problems()
    assert pane.problems()[0].line == 20
    shown = pane.findChild(QListWidget)
    assert isinstance(shown, QListWidget)
    item = shown.item(0)
    viewport = shown.viewport()
    assert item is not None
    assert viewport is not None
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=shown.visualItemRect(item).center())
    assert pane.editor.current_line == 20


def test_a_problem_of_a_step_moves_with_the_step(qtbot: QtBot, pane: PipelinePane) -> None:
    pane.show_problems(["step 3 'Correct': bad"])
    assert pane.problems()[0].line == 20
    with qtbot.waitSignal(pane.source_changed):
        pane.editor.go_to(1)
        qtbot.keyClick(pane.editor, Qt.Key.Key_Return)
    assert pane.problems()[0].line == 21


def test_the_form_of_a_step_changes_the_text_and_undo_takes_it_back(pane: PipelinePane) -> None:
    before = pane.source()
    pane.editor.go_to(20)
    form_of(pane).widget_of("radius_px").value = 150.0
    assert '{CHANNEL: (subtract_background, {"radius_px": 150.0})}' in pane.source()
    steps = load_pipeline(pane.source()).steps
    assert steps[2].branches()["nuclei"][0].kwargs == {"radius_px": 150.0}
    form_of(pane).widget_of("radius_px").value = 200.0
    assert pane.source() == before
    pane.editor.undo()
    assert '"radius_px": 150.0' in pane.source()


def test_each_function_of_a_step_has_its_form(pane: PipelinePane) -> None:
    pane.editor.go_to(16)
    form_of(pane, 1).widget_of("name").value = "cells"
    assert '(check_nuclei, {"name": "cells"})]' in pane.source()
    pane.editor.undo()
    assert form_of(pane, 0).info is not None


def test_a_step_of_the_library_is_added(pane: PipelinePane) -> None:
    info = next(each for each in read_library() if each.name == "clear_border")
    pane.add_step(info)
    assert load_pipeline(pane.source()).steps[-1].name == "clear_border"
    assert pane.is_modified
    assert form_of(pane).info == info


def test_the_users_code_is_not_run(qtbot: QtBot, pane: PipelinePane, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    pane.set_source(f"open({str(mark)!r}, 'w').close()\n{builtin_source()}")
    pane.show_problems(["step 1 'Project': bad"])
    pane.editor.go_to(13)
    assert not mark.exists()


def test_save_and_open(pane: PipelinePane, tmp_path: Path) -> None:
    path = tmp_path / "p.py"
    changed: list[object] = []
    pane.file_changed.connect(changed.append)
    pane.editor.appendPlainText("# the end, süß")
    assert pane.is_modified
    pane.save_to(path)
    assert not pane.is_modified
    assert path.read_text(encoding="utf-8").endswith("# the end, süß\n")
    pane.set_source(EMPTY_PIPELINE)
    pane.open_file(path)
    assert "süß" in pane.source()
    assert changed == [path, None, path]
    assert [each.name for each in tmp_path.iterdir()] == ["p.py"]


def test_a_file_keeps_its_mode_and_a_link_its_target(tmp_path: Path) -> None:
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_text("a = 1\r\nb = 2\r\n")
    real.chmod(0o640)
    link.symlink_to(real)
    text = load_source(link)
    assert text == "a = 1\nb = 2\n"
    save_source(link, text)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "image.py").write_bytes(b"\xff\xfe\x00")
    for call in (
        lambda: load_source(tmp_path / "none.py"),
        lambda: load_source(tmp_path / "image.py"),
        lambda: save_source(tmp_path, "x"),
    ):
        with pytest.raises(SourceFileError, match=str(tmp_path)):
            call()


def test_unsaved_changes_are_asked_for(qtbot: QtBot, pane: PipelinePane, tmp_path: Path) -> None:
    done: list[int] = []
    pane.discard_then(lambda: done.append(1))
    assert done == [1]
    pane.save_to(tmp_path / "p.py")
    buttons = QMessageBox.StandardButton
    for button, count, is_modified in ((buttons.Cancel, 1, True), (buttons.Discard, 2, True), (buttons.Save, 3, False)):
        pane.editor.appendPlainText("# more")
        pane.discard_then(lambda: done.append(1))
        answer(qtbot, pane, button)
        assert len(done) == count
        assert pane.is_modified is is_modified
        assert pane.findChild(QMessageBox) is None
    assert (tmp_path / "p.py").read_text().count("# more") == 3


def test_what_another_program_wrote_is_not_lost_unasked(
    pane: PipelinePane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.py"
    pane.save_to(path)
    pane.editor.appendPlainText("# mine")
    mine = pane.source()
    path.write_text("theirs")
    answers = [FileAnswer.CANCEL, FileAnswer.LOAD, FileAnswer.OVERWRITE]
    monkeypatch.setattr(pane_module, "ask_about_file", lambda *_: answers.pop(0))
    assert not pane.save()
    assert path.read_text() == "theirs"
    assert not pane.save()
    assert (pane.source(), pane.is_modified) == ("theirs", False)
    pane.undo()
    assert (pane.source(), pane.is_modified) == (mine, True)
    path.write_text("theirs again")
    assert pane.save()
    assert path.read_text() == f"{mine}\n"
    assert not answers


def test_return_and_tab_indent(qtbot: QtBot, pane: PipelinePane) -> None:
    pane.set_source("")
    qtbot.keyClicks(pane.editor, "def f(x):")
    qtbot.keyClick(pane.editor, Qt.Key.Key_Return)
    qtbot.keyClicks(pane.editor, "return x")
    qtbot.keyClick(pane.editor, Qt.Key.Key_Return)
    qtbot.keyClicks(pane.editor, "ab")
    qtbot.keyClick(pane.editor, Qt.Key.Key_Tab)
    qtbot.keyClicks(pane.editor, "c")
    assert pane.source() == "def f(x):\n    return x\n    ab  c"


def test_only_what_differs_is_replaced_also_beside_wide_characters(pane: PipelinePane) -> None:
    pane.set_source("a = '\U0001f52c'\nb = 1\nc = 2\n")
    pane.editor.replace_text("a = '\U0001f52c'\nb = 11\nc = 2\n")
    assert pane.source() == "a = '\U0001f52c'\nb = 11\nc = 2\n"
    pane.editor.undo()
    assert pane.source() == "a = '\U0001f52c'\nb = 1\nc = 2\n"


def test_syntax_colours_go_on_over_lines(qtbot: QtBot) -> None:
    document = QTextDocument('x = """one\ndef two\nthree"""\ndef four(): pass\n')
    highlighter = PythonHighlighter(document, QPalette(QColor("white")))

    def colours(line: int) -> dict[int, str]:
        layout = document.findBlockByNumber(line).layout()
        assert layout is not None
        return {found.start: found.format.foreground().color().name() for found in layout.formats()}

    string, keyword = colours(0)[4], colours(3)[0]
    assert colours(1) == {0: string}
    assert string != keyword
    assert colours(3)[4] not in (string, keyword)
    highlighter.set_palette(QPalette(QColor("#202020")))
    assert colours(1)[0] == string or QPalette(QColor("#202020")).base().color().lightness() < 128


def test_each_plate_has_its_own_history_steps_and_reference(qtbot: QtBot, pane: PipelinePane) -> None:
    text, other = builtin_source(), builtin_source("cell_painting")
    pane.show_plate("/a", ShownText(text, name="A"))
    titles = pane.steps.list.titles
    with qtbot.waitSignal(pane.source_changed):
        qtbot.keyClicks(pane.editor, "xx((")
    assert not pane.steps.list.isEnabled()
    broken = pane.source()
    pane.show_plate("/b", ShownText(other, name="B"))
    of_other = pane.steps.list.titles
    assert not any(action.isEnabled() for action in pane.actions() if action.text() == "Undo the last edit")
    pane.show_plate("/a", ShownText(broken, name="A", is_modified=True))
    assert pane.steps.list.titles == titles != of_other
    assert (pane.reference, pane.name) == (text, "A")
    pane.show_plate("/c", ShownText("xx((", name="C"))
    assert pane.steps.list.titles == []
    pane.show_plate("/a", ShownText(broken, name="A", is_modified=True))
    while pane.source() != text:
        before = pane.source()
        pane.undo()
        assert pane.source() != before
    assert not pane.is_modified
    for number in range(20):
        pane.show_plate(f"/{number}", ShownText(other))
    assert not pane.has_shown("/a")


def test_a_problem_of_a_channel_is_marked_at_its_step_in_the_words_of_the_window(pane: PipelinePane) -> None:
    messages = (
        "no channel name indicates nuclei (the plate has 1: A, 2: B): choose one with --channel, or as the key in the "
        "pipeline file",
        "step 4 'Find cells': func has a key '4', but the plate has no such channel (it has 1, 2)",
    )
    pane.show_problems(map(window_text, messages))
    nuclei, key = pane.problems()[:2]
    assert nuclei.step is not None
    assert nuclei.short.endswith("choose one in Settings > Channel, or at Channel of the step")
    assert (key.step, key.short) == (4, "the plate has no channel 4: choose one of 1, 2")


def test_a_setting_that_is_automatic_is_not_shown_as_changed(pane: PipelinePane) -> None:
    number = next(each for each in range(1, 9) if "DIAMETER" in builtin_source().split("FunctionStep(")[each + 0])
    pane.steps.list.choose_step(number)
    labels = {each.text(): each.font().bold() for each in form_of(pane).findChildren(QLabel)}
    diameters = [is_bold for text, is_bold in labels.items() if text.startswith("Diameter")]
    assert diameters
    assert not any(diameters)


def test_what_the_pane_does_is_in_the_list_of_commands(pane: PipelinePane) -> None:
    found = {command.text: command.keys for command in commands_in("Pipeline", pane)}
    wanted = {"Add a step…", "Duplicate the step", "Delete the step", "Move the step up", "Rename the pipeline"}
    assert wanted | {"Check the pipeline", "Save the pipeline as…", "Find in the Python text"} <= set(found)
    assert found["Undo the last edit"] == "Ctrl+Z"
    assert found["Save the pipeline"] == "Ctrl+S"
