"""Edits a pipeline as a list of steps and as Python: two views of one text, with one history.

The source is never run here, only parsed; the problems found by a compilation are passed to ``show_problems``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QAction, QKeySequence, QResizeEvent, QTextDocument
from PyQt6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.pipeline.checks import check_text, steps_by_channel
from openhcs_gui_services.services.pipeline.library import Library
from openhcs_gui_services.services.pipeline.problems import Problem, locate_problems
from openhcs_gui_services.services.pipeline.source_file import (
    SourceFileError,
    file_digest,
    load_source,
    read_templates,
    save_source,
    text_digest,
)
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, read_libraries
from openhcs_gui_services.services.pipeline.text import PipelineOutline, outline_of
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.pipeline.editor import CodeEditor
from openhcs_gui_services.widgets.pipeline.fields import REDO_KEYS, UNDO_KEYS
from openhcs_gui_services.widgets.pipeline.file_question import FileAnswer, ask_about_file
from openhcs_gui_services.widgets.pipeline.find_bar import FindBar
from openhcs_gui_services.widgets.pipeline.name_line import NameLine
from openhcs_gui_services.widgets.pipeline.sign_button import Sign, SignButton
from openhcs_gui_services.widgets.pipeline.steps_tab import StepsTab
from openhcs_gui_services.widgets.pipeline.targets_line import TargetsLine
from openhcs_gui_services.widgets.pipeline.texts import Identity, KeptTexts, ShownText

__all__ = ["EMPTY_PIPELINE", "PipelinePane"]

EMPTY_PIPELINE: Final = '''"""What this pipeline does."""

from openhcs_runtime import FunctionStep

pipeline_steps = []
'''

_READ_MS: Final = 250
_FILES: Final = "Pipelines (*.py);;All files (*)"
_NEW: Final = "New pipeline"
_STEPS_TAB, _PYTHON_TAB = 0, 1


class PipelinePane(QWidget):
    """Edits one pipeline.

    Args:
        templates: sources of ready-made pipelines by their names in the menu [default: the built-in pipelines].
        library: functions that can be added as steps [default: those of ``openhcs_runtime.functions``].
        parent: the parent widget.
    """

    source_changed = pyqtSignal(str)
    """The text, emitted shortly after an edit in the list, a form or the text."""
    check_requested = pyqtSignal(str)
    """The text to be compiled."""
    file_changed = pyqtSignal(object)
    """The path of the edited file, or None if the text has no file."""
    saved = pyqtSignal(object)
    """The path of a file that the text was saved to."""
    name_changed = pyqtSignal(str)
    """The name of the pipeline, given by the user, a file or a template."""

    def __init__(
        self,
        templates: dict[str, str] | None = None,
        library: Sequence[FunctionInfo] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._outline = PipelineOutline()
        self._reported: tuple[str, ...] = ()
        self._channels: Mapping[int, str] = MappingProxyType({})
        self._edit_key = ""
        self._is_editing = False
        self._library = Library(read_libraries() if library is None else library)
        self._editor = CodeEditor()
        self._texts = KeptTexts(self._make_document, _NEW)
        self._editor.show_document(self._texts.current.document)
        self.find_bar = FindBar(self._editor)
        self._name = NameLine()
        self.targets = TargetsLine()
        self._problems = QListWidget()
        self._shown_problems: tuple[Problem, ...] = ()
        self.steps = StepsTab(self._library)
        self.tabs = QTabWidget()
        self._reading = QTimer(self)
        self._reading.setSingleShot(True)
        self._reading.timeout.connect(self._read)
        self._make_actions()
        self._lay_out(read_templates() if templates is None else templates)
        self._connect()
        self.set_source(EMPTY_PIPELINE)

    # --- the text ------------------------------------------------------------------------------------------------

    @property
    def editor(self) -> CodeEditor:
        """The text editor."""
        return self._editor

    @property
    def path(self) -> Path | None:
        """The edited file; None if the text has no file."""
        return self._identity.path

    @property
    def basis(self) -> str:
        """Digest of the text that the file had when it was read or saved; "" if there is none."""
        return self._identity.basis

    @property
    def plate(self) -> str:
        """The plate whose pipeline is shown; "" if it is of none."""
        return self._texts.plate

    @property
    def reference(self) -> str:
        """The text as it was loaded, saved or last run."""
        return self._texts.current.reference

    @property
    def name(self) -> str:
        """What the pipeline is called: a name given by the user, or that of its file or template."""
        return self._identity.name

    @property
    def is_modified(self) -> bool:
        """Whether there are unsaved changes."""
        document = self._editor.document()
        return document is not None and document.isModified()

    def source(self) -> str:
        """Return the text."""
        return self._editor.toPlainText()

    def set_source(self, text: str, path: Path | None = None, name: str = "", *, is_modified: bool = False) -> None:
        """Edit a text without asking about unsaved changes; see :meth:`discard_then`.

        Args:
            text: the source.
            path: the file that it is from; None if there is none.
            name: what it is called [default: the name of the file].
            is_modified: whether it has edits that are not in the file.
        """
        basis = "" if path is None else file_digest(path) if is_modified else text_digest(text)
        self._is_editing = True
        self._editor.setPlainText(text)
        self._is_editing = False
        self._texts.current.good = ""
        self._be_shown(ShownText(text, path, name, is_modified, basis))

    def show_plate(self, plate: str, shown: ShownText) -> None:
        """Edit the pipeline of a plate, with the history of its edits if the plate was shown before.

        Args:
            plate: the plate.
            shown: its pipeline; if it differs from what was shown, undo brings that back.
        """
        is_kept = plate in self._texts
        kept = self._texts.show(plate)
        self._is_editing = True
        self._editor.show_document(kept.document)
        self._texts.trim()
        if is_kept:
            is_followed = shown.text != self.source() and not shown.is_modified
            reference = shown.text if is_followed else kept.reference
            self._editor.replace_text(shown.text)
        else:
            reference = shown.text if shown.reference is None else shown.reference
            self._editor.setPlainText(shown.text)
        self._is_editing = False
        self._be_shown(replace(shown, reference=reference))

    def has_shown(self, plate: str) -> bool:
        """Return whether the history of a plate's edits is kept."""
        return plate in self._texts

    def give_to(self, plate: str) -> None:
        """Let the text, with its history, be that of a plate from now on."""
        self._texts.give_to(plate)

    def keep_reference(self) -> None:
        """Compare later edits with the text as it is now, because it is run."""
        self._texts.current.reference = self.source()

    def set_reference(self, plate: str, text: str) -> None:
        """Compare the edits of a plate that was shown with another text, such as that of its last run."""
        kept = self._texts.get(plate)
        if kept is not None and kept.reference != text:
            kept.reference = text
            self.file_changed.emit(self.path)

    def _be_shown(self, shown: ShownText) -> None:
        """Take what the text in the editor is called, and show it."""
        kept = self._texts.current
        kept.identity = Identity(shown.name or (shown.path.name if shown.path else _NEW), shown.path, shown.basis)
        kept.reference = shown.text if shown.reference is None else shown.reference
        kept.before_new = None
        self._reported, self._edit_key = (), ""
        self._set_modified(shown.is_modified)
        self._show_history()
        self.steps.list.setCurrentIndex(self.steps.list.rows.index(-1))
        self.steps.show_text(kept.good, outline_of(kept.good), (), self._channels)
        self._read()
        self.file_changed.emit(shown.path)

    def open_file(self, path: Path) -> None:
        """Edit a file without asking about unsaved changes.

        Raises:
            SourceFileError: the file can't be read.
        """
        self.set_source(load_source(path), path)
        self.name_changed.emit(self.name)

    def start_new(self, text: str, name: str) -> None:
        """Replace the text by a new one, which undo brings back, without asking about unsaved changes."""
        before = self.source(), self._identity
        self._identity, self._reported = Identity(name), ()
        self._apply(text, "")
        self._texts.current.before_new = before
        self._show_name()
        self.file_changed.emit(None)
        self.name_changed.emit(name)

    def save_to(self, path: Path) -> None:
        """Write the text to a file, atomically, and edit that file from now on.

        Raises:
            SourceFileError: the file can't be written.
        """
        self.steps.panel.take_now()
        save_source(path, self.source())
        keeps_name = path == self._identity.path
        self._identity = Identity(self.name if keeps_name else path.name, path, text_digest(self.source()))
        self._set_modified(False)
        self.keep_reference()
        self.file_changed.emit(path)
        self.name_changed.emit(self.name)
        self.saved.emit(path)

    def load_again(self) -> None:
        """Edit what the file has now; undo brings the text back.

        Raises:
            SourceFileError: the file can't be read.
        """
        path = self._identity.path
        if path is not None:
            text = load_source(path)
            self._identity = replace(self._identity, basis=text_digest(text))
            self._apply(text, "")
            self._set_modified(False)
            self.keep_reference()
            self.file_changed.emit(path)

    def rename(self, name: str) -> None:
        """Give the pipeline another name; its file stays."""
        self._identity = replace(self._identity, name=name)
        self._show_name()
        self.name_changed.emit(name)

    def discard_then(self, then: Callable[[], None]) -> None:
        """Call ``then`` once nothing would be lost: immediately, or after a question was answered."""
        self.steps.panel.take_now()
        if not self.is_modified:
            then()
            return
        buttons = QMessageBox.StandardButton
        box = QMessageBox(QMessageBox.Icon.Question, "Unsaved changes", f"Save the changes to {self.name}?")
        box.setParent(self, box.windowFlags())
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Save)

        def answered(result: int) -> None:
            if result == buttons.Discard or (result == buttons.Save and self.save()):
                then()

        box.finished.connect(answered)
        box.open()

    def undo(self) -> None:
        """Take back the last edit, wherever it was made."""
        self._go_back(self._editor.undo)

    def redo(self) -> None:
        """Make the edit again that was taken back last."""
        self._go_back(self._editor.redo)

    # --- the plate, and problems ---------------------------------------------------------------------------------

    def set_channels(self, channels: Mapping[int, str]) -> None:
        """Offer the channels of the shown plate.

        Args:
            channels: name of each channel by its number, "" if it has none; empty if no plate is shown.
        """
        if dict(channels) != dict(self._channels):
            self._channels = MappingProxyType(dict(channels))
            self._show_outline()

    def show_problems(self, messages: Iterable[str]) -> None:
        """Show the messages of a compilation; those that name a line or a step are marked there."""
        reported = tuple(messages)
        if reported != self._reported:
            self._reported = reported
            self._show_outline()

    def problems(self) -> tuple[Problem, ...]:
        """Return the shown problems: a syntax error, otherwise those of the last compilation and of the text."""
        if self._outline.problem is not None:
            return (self._outline.problem,)
        reported = locate_problems(self._reported, self._outline.steps, steps_by_channel(self._outline))
        steps = {problem.step for problem in reported if problem.step is not None}
        found = check_text(self._outline, self._library, self._channels)
        return (*reported, *(problem for problem in found if problem.step not in steps))

    def go_to_problem(self, number: int) -> None:
        """Show a problem, given by its index in the list, from 0: its step, or else its line in the text."""
        problem = self.problems()[number]
        if problem.line is not None:
            self._editor.go_to(problem.line, problem.column)
        if problem.step is not None and self.tabs.currentIndex() == _STEPS_TAB:
            self.steps.list.choose_step(problem.step)
            self.steps.list.setFocus()
        elif problem.line is not None:
            self.show_text(problem.line, problem.column)

    def show_text(self, line: int, column: int | None = None) -> None:
        """Show a line of the Python text."""
        self.tabs.setCurrentIndex(_PYTHON_TAB)
        self._editor.go_to(line, column)

    # --- actions of the buttons ----------------------------------------------------------------------------------

    def save(self) -> bool:
        """Save to the current file, or ask for one; return whether the text was saved."""
        path = self._identity.path
        if path is None:
            return self.save_as()
        self.steps.panel.take_now()
        if self._has_changed(path):
            answer = ask_about_file(self, path.name)
            if answer is FileAnswer.LOAD:
                self._try_file("not loaded", lambda _: self.load_again(), path)
            if answer is not FileAnswer.OVERWRITE:
                return False
        return self._try_file("not saved", self.save_to, path)

    def _has_changed(self, path: Path) -> bool:
        """Return whether a file has another text than this one was made from, which saving would lose."""
        found = file_digest(path) if path.exists() else ""
        is_readable_or_away = bool(found) or not path.exists()
        return not is_readable_or_away or (bool(found) and found not in (self.basis, text_digest(self.source())))

    def save_as(self) -> bool:
        """Ask for a file and save to it; return whether the text was saved."""
        start = str(self.path or _file_name(self.name))
        name, _ = QFileDialog.getSaveFileName(self, "Save pipeline", start, _FILES)
        return bool(name) and self._try_file("not saved", self.save_to, Path(name))

    def ask_and_open(self) -> None:
        """Ask for a file and edit it."""

        def choose() -> None:
            name, _ = QFileDialog.getOpenFileName(self, "Open pipeline", str(self.path or ""), _FILES)
            if name:
                self._try_file("not opened", self.open_file, Path(name))

        self.discard_then(choose)

    def add_step(self, info: FunctionInfo) -> None:
        """Append a step with a function and show its form."""
        self.steps.add_step(info)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the problems, which wrap."""
        super().resizeEvent(event)
        self._fit_problems()

    # --- parts ---------------------------------------------------------------------------------------------------

    def _lay_out(self, templates: dict[str, str]) -> None:
        self._problems.setAccessibleName("Problems")
        self._problems.setObjectName("problems")
        self._problems.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._problems.hide()
        self._problems.setWordWrap(True)
        self._problems.setTextElideMode(Qt.TextElideMode.ElideNone)
        python = QWidget()
        column = QVBoxLayout(python)
        column.setContentsMargins(0, 6, 0, 0)
        column.addWidget(self._editor, 1)
        column.addWidget(self.find_bar)
        self.tabs.addTab(self.steps, "Steps")
        self.tabs.addTab(python, "Python")
        self.tabs.setDocumentMode(True)
        self.setFocusProxy(self.steps.list)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self._name)
        layout.addLayout(self._tool_row(templates))
        layout.addWidget(self.targets)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self._problems)

    def _make_actions(self) -> None:
        """Make what the pane can do, with keys that count while it has the focus."""
        act = self._action
        self._open_action = act("Open a pipeline file…", ("Ctrl+O",), self.ask_and_open)
        self._save_action = act("Save the pipeline", ("Ctrl+S",), self.save)
        self._save_as_action = act("Save the pipeline as…", ("Ctrl+Shift+S",), self.save_as)
        self._check_action = act("Check the pipeline", ("F7",), self._request_check)
        self._undo_action = act("Undo the last edit", UNDO_KEYS, self.undo)
        self._redo_action = act("Redo the edit", REDO_KEYS, self.redo)
        act("Rename the pipeline", (), self._name.begin)
        act("Find in the Python text", ("Ctrl+F",), self._open_find)
        act("Find the next", ("F3",), self.find_bar.next)

    def _action(self, text: str, keys: Sequence[str], call: Callable[[], object]) -> QAction:
        action = QAction(text, self)
        action.setShortcuts([QKeySequence(key) for key in keys])
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.triggered.connect(lambda _=False: call() and None)
        self.addAction(action)
        return action

    def _tool_row(self, templates: dict[str, str]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(_menu_button("New", "Start a new pipeline", self._new_menu(templates)))
        row.addWidget(push_button("Open…", "Open a pipeline file (Ctrl+O)", self._open_action.trigger))
        save = QToolButton()
        save.setText("Save")
        save.setToolTip("Save the pipeline (Ctrl+S); the arrow saves it to another file (Ctrl+Shift+S)")
        save.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        save.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        menu = QMenu(save)
        menu.addAction(self._save_as_action)
        save.setMenu(menu)
        save.clicked.connect(self._save_action.trigger)
        row.addWidget(save)
        row.addWidget(push_button("Check", "Compile the pipeline without running it (F7)", self._check_action.trigger))
        row.addStretch(1)
        row.addWidget(SignButton(Sign.UNDO, "Undo (Ctrl+Z)", self._undo_action))
        row.addWidget(SignButton(Sign.REDO, "Redo (Ctrl+Shift+Z)", self._redo_action))
        return row

    def _new_menu(self, templates: dict[str, str]) -> QMenu:
        menu = QMenu(self)
        for name, text in {"Empty pipeline": EMPTY_PIPELINE, **templates}.items():
            action = menu.addAction(name)
            assert action is not None
            title = _NEW if text == EMPTY_PIPELINE else name
            action.setToolTip(text.partition('"""')[2].partition("\n")[0].strip('"'))
            action.triggered.connect(
                lambda _=False, text=text, title=title: self.discard_then(lambda: self.start_new(text, title))
            )
        menu.setToolTipsVisible(True)
        return menu

    def _connect(self) -> None:
        self._editor.textChanged.connect(self._on_typing)
        self._editor.cursorPositionChanged.connect(self._on_cursor)
        self._problems.itemActivated.connect(self._on_problem)
        self._problems.itemClicked.connect(self._on_problem)
        self._name.name_edited.connect(self.rename)
        self.steps.edited.connect(self._apply)
        self.steps.text_wanted.connect(self.show_text)
        self.steps.refused.connect(lambda why: QMessageBox.warning(self, "Pipeline", f"Nothing was changed: {why}"))
        self.tabs.currentChanged.connect(self._on_tab)

    @property
    def _identity(self) -> Identity:
        return self._texts.current.identity

    @_identity.setter
    def _identity(self, identity: Identity) -> None:
        self._texts.current.identity = identity

    def _make_document(self) -> QTextDocument:
        made = self._editor.new_document()
        made.modificationChanged.connect(lambda _: self._show_name())
        made.undoAvailable.connect(lambda _: self._show_history())
        made.redoAvailable.connect(lambda _: self._show_history())
        return made

    def _show_history(self) -> None:
        document = self._texts.current.document
        self._undo_action.setEnabled(document.isUndoAvailable())
        self._redo_action.setEnabled(document.isRedoAvailable())

    def _open_find(self) -> None:
        self.tabs.setCurrentIndex(_PYTHON_TAB)
        self.find_bar.open()

    def _request_check(self) -> None:
        self.steps.panel.take_now()
        self._read()
        if self._outline.problem is None:
            self.check_requested.emit(self.source())

    # --- from the views to the text ------------------------------------------------------------------------------

    def _apply(self, text: str, key: str) -> None:
        """Take an edit of the list or a form; edits with the same key one after the other are one undo."""
        if text == self.source():
            self._show_outline()
            return
        is_joined = bool(key) and key == self._edit_key
        self._is_editing = True
        self._editor.replace_text(text, joined=is_joined)
        self._is_editing = False
        self._edit_key = key
        self._read()

    def _go_back(self, move: Callable[[], None]) -> None:
        self.steps.panel.take_now()
        row, titles = self.steps.list.current, self.steps.list.titles
        move()
        self._edit_key = ""
        self._read()
        if row is not None and self.steps.list.titles != titles:
            self.steps.list.choose_title(row.title)  # a step that has moved stays the current one

    def _on_typing(self) -> None:
        kept = self._texts.current
        if not self._is_editing and kept.before_new is not None and self.source() == kept.before_new[0]:
            kept.identity, kept.before_new = kept.before_new[1], None
            self._show_name()
            self.file_changed.emit(self.path)
            self.name_changed.emit(self.name)
        if not self._is_editing:
            self._edit_key = ""
            self._reading.start(_READ_MS)

    def _on_cursor(self) -> None:
        """Choose the step at the cursor, unless the outline belongs to an older text."""
        if not self._reading.isActive() and not self._is_editing:
            step = self._outline.step_at(self._editor.current_line)
            if step is not None:
                self.steps.list.choose_step(step.number)

    def _on_tab(self, tab: int) -> None:
        if self._reading.isActive():
            self._read()
        self.steps.panel.take_now()
        row = self.steps.list.current
        if tab == _PYTHON_TAB and row is not None:
            self._editor.go_to(row.line)

    # --- from the text to the views ------------------------------------------------------------------------------

    def _read(self) -> None:
        self._reading.stop()
        self._outline = outline_of(self.source())
        if self._outline.problem is None:
            self._texts.current.good = self.source()
        self._show_outline()
        self._show_name()
        self.source_changed.emit(self.source())

    def _show_outline(self) -> None:
        found = self.problems()
        self._editor.show_problems(found)
        self.steps.show_text(self.source(), self._outline, found, self._channels)
        if found == self._shown_problems:
            return
        self._shown_problems = found
        self._problems.clear()
        for number, problem in enumerate(found):
            item = QListWidgetItem(_where(problem) + problem.short)
            item.setData(Qt.ItemDataRole.UserRole, number)
            self._problems.addItem(item)
        self._problems.setVisible(bool(found))
        self._fit_problems()

    def _fit_problems(self) -> None:
        """Give the problems the height that they need, up to five lines."""
        rows = [self._problems.sizeHintForRow(row) for row in range(self._problems.count())]
        most = 5 * self.fontMetrics().height()
        self._problems.setFixedHeight(min(sum(rows), most) + 2 * self._problems.frameWidth() + 6)

    def _on_problem(self, item: QListWidgetItem) -> None:
        self.go_to_problem(item.data(Qt.ItemDataRole.UserRole))

    def _try_file(self, what: str, do: Callable[[Path], None], path: Path) -> bool:
        try:
            do(path)
        except SourceFileError as error:
            QMessageBox.warning(self, "Pipeline", f"The pipeline was {what}: {error}")
            return False
        return True

    def _set_modified(self, is_modified: bool) -> None:
        document = self._editor.document()
        assert document is not None
        document.setModified(is_modified)
        self._show_name()

    def _show_name(self) -> None:
        self._name.show_name(self.name, str(self.path or ""), is_modified=self.is_modified)


def _where(problem: Problem) -> str:
    if problem.step is not None and problem.line is not None:
        return f"Step {problem.step}, line {problem.line}: "
    return f"Line {problem.line}: " if problem.line is not None else ""


def _file_name(name: str) -> str:
    """Return a name for a file: ``cell_painting.py`` for ``Cell painting``."""
    plain = "".join(sign if sign.isalnum() else "_" for sign in name.removesuffix(".py").lower()).strip("_")
    return f"{plain or 'pipeline'}.py"


def _menu_button(text: str, tip: str, menu: QMenu) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    button.setMenu(menu)
    return button
