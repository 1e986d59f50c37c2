"""The layout of a plate: which compound, dose or control is in each well, edited as the plate map next to the plate."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QEvent, QMimeData, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QPalette
from PyQt6.QtWidgets import QMessageBox, QWidget

from openhcs_gui_services.exceptions import LayoutError
from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.layout.checks import layout_notes
from openhcs_gui_services.services.layout.file import find_file, import_table
from openhcs_gui_services.services.layout.saving import export_layout, save_layout
from openhcs_gui_services.services.layout.shapes import SHAPES
from openhcs_gui_services.services.layout.table import COMMON_COLUMNS, LayoutTable
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.colours import tone_colour
from openhcs_gui_services.widgets.layout.commands import LayoutCommands, named_wells
from openhcs_gui_services.widgets.layout.draft import LayoutDraft
from openhcs_gui_services.widgets.layout.parts import LayoutParts
from openhcs_gui_services.widgets.layout.questions import answer_before_saving, ask_file, question_box
from openhcs_runtime.exceptions import OpenHCSError

__all__ = ["LayoutPane"]

_NO_PLATE: Final = "Choose a plate in the table to lay it out."
_CHECK_MS: Final = 400


class LayoutPane(QWidget):
    """Edits the plate map of one plate at a time; edits that are not saved stay when another plate is shown.

    Reading, checking and saving need an asyncio loop that runs on Qt's event loop, and happen in threads.
    """

    map_saved = pyqtSignal(str)
    """The plate map of the plate at this path was saved."""
    failed = pyqtSignal(str)
    """Something failed: one line for a status bar."""
    said = pyqtSignal(str)
    """Something was done: one line for a status bar."""
    asked = pyqtSignal(object)
    """A question is shown: the ``QMessageBox``."""
    shown = pyqtSignal()
    """What is shown has changed: the plate, its values or the notes about them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._drafts: dict[str, LayoutDraft] = {}
        self._plate: str = ""
        self._tasks = BackgroundTasks(self._refuse)
        self.destroyed.connect(self._tasks.cancel)
        self.parts = LayoutParts(self, lambda template: self.commands.apply_template(template))
        self.commands = LayoutCommands(self, lambda: self._draft, self.parts.grid)
        self._check_timer = QTimer(self)
        self._check_timer.setSingleShot(True)
        self._check_timer.setInterval(_CHECK_MS)
        self._check_timer.timeout.connect(self._check)
        self._notes: tuple[str, ...] = ()
        self.setAcceptDrops(True)
        self._connect()
        self._show()

    # --- plates --------------------------------------------------------------------------------------------------

    def show_plate(self, path: str, name: str = "", wells: Sequence[str] = ()) -> None:
        """Show the layout of a plate; edits that are not saved are kept.

        Args:
            path: folder of the plate, or its URL; "" for no plate.
            name: its name [default: that of its folder].
            wells: its wells that have images; may be empty until they are known.
        """
        is_other = path != self._plate
        self._plate = path
        draft = self._drafts.get(path)
        if draft is not None and (draft.edits.is_modified or not is_other):
            draft.wells = tuple(wells) or draft.wells
            draft.fit()
            self._show()
        elif path:
            self._show()
            self._tasks.start(self._load(path, name or Path(path).name, tuple(wells)), "Reading the plate map")
        else:
            self._show()

    @property
    def plate(self) -> str:
        """The plate that is shown; "" for none."""
        return self._plate

    @property
    def table(self) -> LayoutTable:
        """The layout that is shown."""
        draft = self._draft
        return LayoutTable() if draft is None else draft.edits.table

    @property
    def notes(self) -> tuple[str, ...]:
        """What may be wrong with the layout, a line each."""
        return self._notes

    @property
    def modified(self) -> tuple[str, ...]:
        """Names of plates with edits that are not saved."""
        return tuple(draft.name for draft in self._drafts.values() if draft.edits.is_modified)

    def discard_then(self, go: Callable[[], None]) -> None:
        """Call ``go`` once no edit would be lost: at once, or after they were saved or given up."""
        if not self.modified:
            go()
            return
        box = question_box(
            self,
            f"Save the layout of {', '.join(self.modified[:3])}?",
            "Edits that are not saved are lost when you close.",
        )
        buttons = QMessageBox.StandardButton
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Save)

        def answered(result: int) -> None:
            if result == buttons.Discard:
                go()
            elif result == buttons.Save:
                self._tasks.start(self._save_all_then(go), "Saving the plate maps")

        box.finished.connect(answered)
        box.open()

    async def end(self) -> None:
        """Stop reading, checking and saving; called once, before the event loop ends."""
        self._check_timer.stop()
        await self._tasks.close()

    # --- files ---------------------------------------------------------------------------------------------------

    def import_from(self, path: Path) -> None:
        """Take the layout from a file; it is saved only by :meth:`save`."""
        if self._draft is not None:
            self._tasks.start(self._import(path), f"Importing {path.name}")

    def save(self) -> None:
        """Save the layout, after the questions that have to be answered."""
        if self._draft is not None:
            self._tasks.start(self._save(self._plate), "Saving the plate map")

    # --- Qt event handlers ---------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept one file."""
        if event is not None and self._draft is not None and _file_of(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Import a file."""
        path = None if event is None else _file_of(event.mimeData())
        if event is not None and path is not None:
            event.acceptProposedAction()
            self.import_from(path)

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow a change of the colours."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange and hasattr(self, "_notes"):
            self._show()

    def sizeHint(self) -> QSize:
        """Return a modest size."""
        return QSize(420, 480)

    # --- parts ---------------------------------------------------------------------------------------------------

    @property
    def _draft(self) -> LayoutDraft | None:
        return self._drafts.get(self._plate)

    def _connect(self) -> None:
        parts, acts, does = self.parts, self.parts.actions, self.commands
        for action, call in (
            (acts.save, self.save),
            (acts.undo, does.undo),
            (acts.redo, does.redo),
            (acts.copy, does.copy),
            (acts.copy_list, does.copy_list),
            (acts.paste, does.paste),
            (acts.clear, lambda: does.set_value("")),
            (acts.series, does.ask_series),
            (acts.add_column, does.ask_column),
            (acts.rename_column, does.ask_name),
            (acts.delete_column, does.delete_column),
            (acts.import_file, lambda: self._ask_file(self.import_from, is_new=False)),
            (acts.export_file, lambda: self._ask_file(self.export_to, is_new=True)),
            (acts.reload, self._reload),
            (acts.select_all, parts.grid.selectAll),
        ):
            action.triggered.connect(lambda _=False, call=call: call())
        does.changed.connect(self._show)
        does.refused.connect(self._refuse)
        parts.grid.typed.connect(self._begin_value)
        parts.grid.cleared.connect(acts.clear.trigger)
        parts.grid.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        parts.grid.customContextMenuRequested.connect(
            lambda point: parts.wells_menu.popup(parts.grid.mapToGlobal(point))
        )
        selection = parts.grid.selectionModel()
        assert selection is not None
        selection.selectionChanged.connect(lambda *_: self._show_selection())
        parts.model.modelReset.connect(self._show_selection)
        parts.legend.wells_wanted.connect(parts.grid.select_wells)
        parts.value.returnPressed.connect(self._take_value)
        parts.column.activated.connect(self._choose_column)
        parts.shape.activated.connect(lambda index: does.choose_shape(parts.shape.itemData(index)))

    def _show(self) -> None:
        """Show the plate, its values and what can be done."""
        draft, parts = self._draft, self.parts
        parts.body.setVisible(draft is not None)
        parts.message.setVisible(draft is None)
        if draft is None:
            if not self._plate:
                parts.message.setText(_NO_PLATE)
            self._enable()
            self.shown.emit()
            return
        table = draft.edits.table
        columns = list(dict.fromkeys([*table.columns, *COMMON_COLUMNS]))
        if draft.column not in columns:
            draft.column = columns[0]
        parts.column.clear()
        for name in columns:
            parts.column.addItem(name if name in table.columns else f"{name} (empty)", name)
        parts.column.setCurrentIndex(columns.index(draft.column))
        parts.shape.setCurrentIndex(SHAPES.index(draft.shape))
        parts.model.show(table, draft.column, draft.shape, draft.wells)
        parts.legend.show_values(table.values(draft.column), parts.model.colours)
        parts.file.setText(draft.place_text)
        parts.file.setToolTip(str(draft.path))
        self._show_selection()
        self._enable()
        self._check_timer.start()
        self.shown.emit()

    def _enable(self) -> None:
        draft, acts = self._draft, self.parts.actions
        edits = None if draft is None else draft.edits
        has_column = draft is not None and draft.column in draft.edits.table.columns
        for action in self.actions():
            action.setEnabled(draft is not None)
        acts.save.setEnabled(draft is not None and draft.edits.is_modified and not draft.layout.problem)
        for action, title, word in (
            (acts.undo, "" if edits is None else edits.undo_title, "Undo"),
            (acts.redo, "" if edits is None else edits.redo_title, "Redo"),
        ):
            action.setEnabled(bool(title))
            keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            action.setToolTip(f"{word} {title} ({keys})" if title else f"{word} ({keys})")
        acts.rename_column.setEnabled(has_column)
        acts.delete_column.setEnabled(has_column)

    def _show_selection(self) -> None:
        wells = self.parts.grid.selected_wells()
        draft = self._draft
        texts = {} if draft is None else dict.fromkeys(self.table.text(draft.column, well) for well in wells)
        self.parts.value_label.setText("Select wells to set values" if not wells else f"Value for {named_wells(wells)}")
        self.parts.value.setEnabled(bool(wells))
        self.parts.value.setPlaceholderText("" if len(texts) < 2 else "several values")
        self.parts.value.setText(next(iter(texts)) if len(texts) == 1 else "")
        self.parts.value.setModified(False)

    def _show_notes(self, notes: tuple[str, ...]) -> None:
        draft = self._draft
        problem = () if draft is None or not draft.layout.problem else (draft.layout.problem,)
        self._notes = (*problem, *notes)
        label = self.parts.notes
        shown = [f"! {_sentence(note)}" for note in self._notes[:4]]
        more = [f"and {len(self._notes) - 4} more"] if len(self._notes) > 4 else []
        label.setText("\n".join((*shown, *more)))
        label.setToolTip("\n".join(self._notes))
        label.setVisible(bool(self._notes))
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.WindowText, tone_colour(Tone.BAD, palette))
        label.setPalette(palette)
        self.shown.emit()

    # --- work in threads -----------------------------------------------------------------------------------------

    async def _load(self, path: str, name: str, wells: tuple[str, ...]) -> None:
        try:
            found = await asyncio.to_thread(find_file, path)
        except OpenHCSError as error:
            self._drafts.pop(path, None)
            if path == self._plate:
                self.parts.message.setText(_sentence(str(error)))
                self._show()
            return
        self._keep(path, LayoutDraft(name, wells, found))

    def _keep(self, path: str, draft: LayoutDraft) -> None:
        """Keep a plate that was read, and no others without edits."""
        before = self._drafts.get(path)
        if before is not None:
            draft.column = before.column if before.column in draft.edits.table.columns else draft.column
            draft.shape = before.shape
            if before.edits.is_modified:  # so that reading the file again can be undone
                draft.edits = before.edits
                draft.edits.saved = draft.layout.table
                draft.edits.do("reading the file again", draft.layout.table)
            draft.fit()
        self._drafts = {
            each: kept for each, kept in self._drafts.items() if kept.edits.is_modified or each == self._plate
        }
        self._drafts[path] = draft
        if path == self._plate:
            self._show()

    def _check(self) -> None:
        draft = self._draft
        if draft is not None:
            self._tasks.start(self._check_now(draft, draft.edits.table), "Checking the layout")

    async def _check_now(self, draft: LayoutDraft, table: LayoutTable) -> None:
        notes = await asyncio.to_thread(layout_notes, table, tuple(draft.wells), draft.path, draft.layout.delimiter)
        if draft is self._draft and table is draft.edits.table:
            self._show_notes(notes)

    async def _import(self, path: Path) -> None:
        try:
            table = await asyncio.to_thread(import_table, path)
        except OpenHCSError as error:
            self._refuse(str(error))
            return
        draft = self._draft
        if draft is None:
            return
        if self.commands.do(f"import of {path.name}", lambda _: table, next(iter(table.columns), "")):
            self.said.emit(f"{path.name} is imported; Save makes it the plate map of {draft.name}")

    async def _save_all_then(self, go: Callable[[], None]) -> None:
        """Save every plate with edits, and call ``go`` if nothing was refused or cancelled."""
        for plate in [path for path, draft in self._drafts.items() if draft.edits.is_modified]:
            await self._save(plate)
        if not self.modified:
            go()

    async def _save(self, plate: str) -> None:
        draft = self._drafts[plate]
        try:
            answer = await answer_before_saving(self, draft.layout, self.asked.emit)
            if answer is None:
                return
            table = draft.edits.table
            found = await asyncio.to_thread(save_layout, draft.layout, table, answer)
        except (OpenHCSError, LayoutError) as error:
            self._refuse(str(error))
            return
        draft.layout = found
        draft.edits.saved = table
        self._show()
        self.said.emit(
            f"Saved as {draft.path.name}. Runs from now on use it; those that have ended keep the map of their time"
        )
        self.map_saved.emit(plate)

    def _begin_value(self, text: str) -> None:
        """Begin to type a value while the focus is on the wells."""
        if self.parts.grid.selected_wells():
            self.parts.value.setFocus()
            if text:
                self.parts.value.setText(text)
            else:
                self.parts.value.selectAll()

    def _take_value(self) -> None:
        self.commands.set_value(self.parts.value.text())
        self.parts.grid.setFocus()

    def _choose_column(self, index: int) -> None:
        if (draft := self._draft) is not None:
            draft.column = str(self.parts.column.itemData(index))
            self._show()

    def export_to(self, path: Path) -> None:
        """Write the layout to a CSV file anywhere."""
        try:
            export_layout(self.table, path)
        except (OpenHCSError, LayoutError) as error:
            self._refuse(str(error))
        else:
            self.said.emit(f"The layout is in {path}")

    def _ask_file(self, take: Callable[[Path], None], *, is_new: bool) -> None:
        draft = self._draft
        if draft is not None:
            folder = draft.path.parent
            ask_file(self, folder if folder.is_dir() else Path.home(), take, is_new=is_new)

    def _reload(self) -> None:
        if (draft := self._draft) is not None:
            self._tasks.start(self._load(self._plate, draft.name, tuple(draft.wells)), "Reading the plate map")

    def _refuse(self, text: str) -> None:
        """Show why something was not done, until the next edit."""
        self._check_timer.stop()
        self._show_notes((text,))
        self.failed.emit(_sentence(text))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _file_of(data: QMimeData | None) -> Path | None:
    """Return the one local file that is dragged; None for anything else."""
    urls = [] if data is None else data.urls()
    return Path(urls[0].toLocalFile()) if len(urls) == 1 and urls[0].isLocalFile() else None
