"""Editor for the Python source of a pipeline: open and save, marked problems, and forms for the steps.

The source is never run here, only parsed; the problems found by a compilation are passed to ``show_problems``.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QMessageBox,
    QPushButton,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.pipeline.problems import Problem, locate_problems
from openhcs_gui_services.services.pipeline.source_file import (
    FileStamp,
    SourceFileError,
    load_source,
    read_templates,
    save_source,
    stamp_of,
)
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, read_libraries
from openhcs_gui_services.services.pipeline.text import (
    PipelineOutline,
    outline_of,
    with_arguments,
    with_step,
)
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.pipeline.editor import CodeEditor
from openhcs_gui_services.widgets.pipeline.step_panel import StepPanel

__all__ = ["EMPTY_PIPELINE", "PipelinePane"]

EMPTY_PIPELINE: Final = '''"""What this pipeline does."""

from openhcs_runtime import FunctionStep

pipeline_steps = []
'''

_READ_MS: Final = 250
_FILES: Final = "Pipelines (*.py);;All files (*)"


class PipelinePane(QWidget):
    """Edits one pipeline.

    Args:
        templates: sources of ready-made pipelines by their names in the menu [default: the built-in pipelines].
        library: functions that can be added as steps [default: those of ``openhcs_runtime.functions``].
        parent: the parent widget.
    """

    source_changed = pyqtSignal(str)
    """The text, emitted shortly after typing stops."""
    check_requested = pyqtSignal(str)
    """The text to be compiled."""
    file_changed = pyqtSignal(object)
    """The path of the edited file, or None if the text has no file."""

    def __init__(
        self,
        templates: dict[str, str] | None = None,
        library: Sequence[FunctionInfo] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._path: Path | None = None
        self._stamp: FileStamp | None = None
        self._outline = PipelineOutline()
        self._reported: tuple[str, ...] = ()
        self._editor = CodeEditor()
        self._title = QLabel()
        self._problems = QListWidget()
        self._library = read_libraries() if library is None else tuple(library)
        self._panel = StepPanel(self._library)
        self._reading = QTimer(self)
        self._reading.setSingleShot(True)
        self._reading.timeout.connect(self._read)
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
        return self._path

    @property
    def is_modified(self) -> bool:
        """Whether there are unsaved changes."""
        document = self._editor.document()
        return document is not None and document.isModified()

    def source(self) -> str:
        """Return the text."""
        return self._editor.toPlainText()

    def set_source(self, text: str, path: Path | None = None) -> None:
        """Edit a text without asking about unsaved changes; see :meth:`discard_then`.

        Args:
            text: the source.
            path: the file that contains it; None if there is none.
        """
        self._path, self._stamp = path, None if path is None else stamp_of(path)
        self._reported = ()
        self._editor.setPlainText(text)
        self._set_modified(False)
        self._read()
        self.file_changed.emit(path)

    def open_file(self, path: Path) -> None:
        """Edit a file without asking about unsaved changes.

        Raises:
            SourceFileError: the file can't be read.
        """
        self.set_source(load_source(path), path)

    def save_to(self, path: Path) -> None:
        """Write the text to a file, atomically, and edit that file from now on.

        Raises:
            SourceFileError: the file can't be written.
        """
        self._stamp = save_source(path, self.source())
        self._path = path
        self._set_modified(False)
        self.file_changed.emit(path)

    def discard_then(self, then: Callable[[], None]) -> None:
        """Call ``then`` once nothing would be lost: immediately, or after a question was answered."""
        if not self.is_modified:
            then()
            return
        buttons = QMessageBox.StandardButton
        box = QMessageBox(QMessageBox.Icon.Question, "Unsaved changes", f"Save the changes to {self._name()}?")
        box.setParent(self, box.windowFlags())
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Save)

        def answered(result: int) -> None:
            if result == buttons.Discard or (result == buttons.Save and self.save()):
                then()

        box.finished.connect(answered)
        box.open()

    # --- problems ------------------------------------------------------------------------------------------------

    def show_problems(self, messages: Iterable[str]) -> None:
        """Show the messages of a compilation; those that name a line or a step are marked in the text."""
        self._reported = tuple(messages)
        self._show_problems()

    def problems(self) -> tuple[Problem, ...]:
        """Return the shown problems: a syntax error, otherwise the messages of the last compilation."""
        if self._outline.problem is not None:
            return (self._outline.problem,)
        return locate_problems(self._reported, self._outline.steps)

    def go_to_problem(self, number: int) -> None:
        """Move the cursor to a problem, given by its index in the list, from 0."""
        problem = self.problems()[number]
        if problem.line is not None:
            self._editor.go_to(problem.line, problem.column)

    # --- actions of the buttons ----------------------------------------------------------------------------------

    def save(self) -> bool:
        """Save to the current file, or ask for one; return whether the text was saved."""
        if self._path is None:
            return self.save_as()
        if self._stamp is not None and stamp_of(self._path) != self._stamp:
            buttons = QMessageBox.StandardButton
            text = f"{self._path.name} was changed by another program. Overwrite it?"
            answer = QMessageBox.question(self, "Save", text, buttons.Yes | buttons.Cancel, buttons.Cancel)
            if answer != buttons.Yes:
                return False
        return self._try_file("not saved", lambda path: self.save_to(path), self._path)

    def save_as(self) -> bool:
        """Ask for a file and save to it; return whether the text was saved."""
        start = str(self._path or "pipeline.py")
        name, _ = QFileDialog.getSaveFileName(self, "Save pipeline", start, _FILES)
        return bool(name) and self._try_file("not saved", self.save_to, Path(name))

    def ask_and_open(self) -> None:
        """Ask for a file and edit it."""

        def choose() -> None:
            name, _ = QFileDialog.getOpenFileName(self, "Open pipeline", str(self._path or ""), _FILES)
            if name:
                self._try_file("not opened", self.open_file, Path(name))

        self.discard_then(choose)

    def add_step(self, info: FunctionInfo) -> None:
        """Append a step with a function to the text and show its form."""
        try:
            self._editor.replace_text(with_step(self.source(), info))
        except ValueError as error:
            QMessageBox.warning(self, "Add step", f"The step was not added: {error}")
            return
        self._read()
        if self._outline.steps:
            self._editor.go_to(self._outline.steps[-1].line)

    # --- parts ---------------------------------------------------------------------------------------------------

    def _lay_out(self, templates: dict[str, str]) -> None:
        self._problems.setAccessibleName("Problems")
        self._problems.setMaximumHeight(110)
        self._problems.setWordWrap(True)
        area = QScrollArea()
        area.setWidget(self._panel)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        split = QSplitter()
        split.addWidget(self._editor)
        split.addWidget(area)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 1)
        split.setSizes([680, 260])
        split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(self._tool_row(templates))
        layout.addWidget(split, 1)
        layout.addWidget(self._problems)

    def _tool_row(self, templates: dict[str, str]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(_menu_button("New", "Start a new pipeline", self._new_menu(templates)))
        row.addWidget(push_button("Open...", "Open a pipeline file (Ctrl+O)", self.ask_and_open))
        row.addWidget(push_button("Save", "Save the pipeline (Ctrl+S)", lambda: self.save()))
        row.addWidget(push_button("Save as...", "Save to another file (Ctrl+Shift+S)", lambda: self.save_as()))
        row.addWidget(_menu_button("Add step", "Append a step with a function from the library", self._step_menu()))
        row.addWidget(push_button("Check", "Compile the pipeline without running it (F7)", self._request_check))
        row.addWidget(self._title, 1)
        self._title.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return row

    def _new_menu(self, templates: dict[str, str]) -> QMenu:
        menu = QMenu(self)
        for name, text in {"Empty pipeline": EMPTY_PIPELINE, **templates}.items():
            action = menu.addAction(name)
            assert action is not None
            action.triggered.connect(lambda _=False, text=text: self.discard_then(lambda: self.set_source(text)))
        return menu

    def _step_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        groups: dict[str, QMenu] = {}
        for info in self._library:
            if info.group not in groups:
                group = menu.addMenu(info.group)
                assert group is not None
                group.setToolTipsVisible(True)
                groups[info.group] = group
            action = groups[info.group].addAction(info.name)
            assert action is not None
            action.setToolTip(info.summary)
            action.triggered.connect(lambda _=False, info=info: self.add_step(info))
        return menu

    def _connect(self) -> None:
        self._editor.textChanged.connect(lambda: self._reading.start(_READ_MS))
        self._editor.cursorPositionChanged.connect(self._show_step)
        document = self._editor.document()
        assert document is not None
        document.modificationChanged.connect(lambda _: self._show_title())
        self._problems.itemActivated.connect(self._on_problem)
        self._problems.itemClicked.connect(self._on_problem)
        self._panel.argument_changed.connect(self._on_argument)
        for key, call in (("Ctrl+O", self.ask_and_open), ("Ctrl+S", self.save), ("Ctrl+Shift+S", self.save_as)):
            shortcut = QShortcut(QKeySequence(key), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(lambda call=call: call() and None)
        check = QShortcut(QKeySequence("F7"), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        check.activated.connect(self._request_check)

    def _request_check(self) -> None:
        self._read()
        if self._outline.problem is None:
            self.check_requested.emit(self.source())

    def _read(self) -> None:
        self._reading.stop()
        self._outline = outline_of(self.source())
        self._show_problems()
        self._show_step()
        self._show_title()
        self.source_changed.emit(self.source())

    def _show_problems(self) -> None:
        found = self.problems()
        self._editor.show_problems(found)
        self._problems.clear()
        for number, problem in enumerate(found):
            where = f"Line {problem.line}: " if problem.line is not None else ""
            item = QListWidgetItem(where + problem.message)
            item.setData(Qt.ItemDataRole.UserRole, number)
            self._problems.addItem(item)
        self._problems.setVisible(bool(found))

    def _on_problem(self, item: QListWidgetItem) -> None:
        self.go_to_problem(item.data(Qt.ItemDataRole.UserRole))

    def _show_step(self) -> None:
        if not self._reading.isActive():  # otherwise the outline belongs to an older text
            self._panel.show_step(self._outline.step_at(self._editor.current_line), self._outline)

    def _on_argument(self, name: str, source: str | None) -> None:
        if self._reading.isActive():
            self._read()
        call = self._panel.current_call()
        if call is not None:
            self._editor.replace_text(with_arguments(self.source(), call, {name: source}))
            self._read()

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
        self._show_title()

    def _name(self) -> str:
        return self._path.name if self._path else "the new pipeline"

    def _show_title(self) -> None:
        name = self._path.name if self._path else "New pipeline"
        self._title.setText(f"{name}, not saved" if self.is_modified else name)
        self._title.setToolTip(str(self._path or ""))


def _menu_button(text: str, tip: str, menu: QMenu) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    button.setMenu(menu)
    return button
