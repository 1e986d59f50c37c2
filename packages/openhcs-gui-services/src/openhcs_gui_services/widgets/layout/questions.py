"""The questions of the layout editor, none of which stops the event loop."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

from openhcs_gui_services.services.layout.file import LayoutFile
from openhcs_gui_services.services.layout.saving import Answer, SaveQuestion, save_questions

__all__ = ["answer_before_saving", "ask_file", "ask_text", "question_box"]

_MAPS: Final = "Plate maps (*.csv *.tsv *.txt *.xlsx *.xlsm *.json);;All files (*)"


Shown = Callable[[QMessageBox], object]


async def answer_before_saving(parent: QWidget, layout: LayoutFile, on_question: Shown) -> Answer | None:
    """Ask what has to be asked before a layout is saved; return which file is meant, None if the user cancels.

    Args:
        parent: the parent of the questions.
        layout: the file as it was read.
        on_question: called with each question once it is shown.

    Raises:
        LayoutError: nothing can be saved.
        PlateMapError: the plate has several maps now.
    """
    answer = Answer.GO_ON
    questions = await asyncio.to_thread(save_questions, layout)
    if questions and len(questions[0].answers) > 1:
        chosen = await _ask(parent, questions[0], on_question)
        if chosen is None:
            return None
        answer = chosen
        questions = await asyncio.to_thread(save_questions, layout, answer)
    for question in questions:
        if await _ask(parent, question, on_question) is None:
            return None
    return answer


async def _ask(parent: QWidget, question: SaveQuestion, on_question: Shown) -> Answer | None:
    answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
    box = question_box(parent, question.text, question.detail)
    buttons = {answer: box.addButton(text, QMessageBox.ButtonRole.AcceptRole) for answer, text in question.answers}
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))

    def take(_: int) -> None:
        clicked = box.clickedButton()
        if not answered.done():
            answered.set_result(next((answer for answer, each in buttons.items() if each is clicked), None))

    box.finished.connect(take)
    box.open()
    on_question(box)
    return await answered


def question_box(parent: QWidget, text: str, detail: str) -> QMessageBox:
    """Return a question without buttons, which deletes itself when it is answered."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Layout")
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(text)
    box.setInformativeText(detail)
    return box


def ask_text(parent: QWidget, title: str, label: str, text: str, take: Callable[[str], None]) -> None:
    """Ask for a line of text, and pass it on."""
    dialog = QInputDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    dialog.setLabelText(label)
    dialog.setTextValue(text)
    dialog.textValueSelected.connect(take)
    dialog.open()


def ask_file(parent: QWidget, folder: Path, take: Callable[[Path], None], *, is_new: bool) -> None:
    """Ask for a plate map to read, or for a CSV file to write, and pass it on."""
    title = "Export the layout" if is_new else "Import a plate map"
    dialog = QFileDialog(parent, title, str(folder), "CSV (*.csv)" if is_new else _MAPS)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if is_new:
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
    else:
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda path: take(Path(path)))
    dialog.open()
