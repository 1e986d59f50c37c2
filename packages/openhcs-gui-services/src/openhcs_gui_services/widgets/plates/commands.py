"""What the actions of the plate manager do: adding, running, stopping, ordering and removing plates."""

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from PyQt6.QtCore import QObject, QTimer, pyqtSignal as Signal
from PyQt6.QtWidgets import QMessageBox, QWidget

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.plates.choice import WellChoice
from openhcs_gui_services.services.plates.reader import find_plate_folders
from openhcs_gui_services.services.plates.values import PlateRow
from openhcs_gui_services.widgets.plates.actions import PlateActions
from openhcs_gui_services.widgets.plates.add_plates import FoldersDialog, FoundPlatesDialog
from openhcs_gui_services.widgets.plates.choose_wells import ChooseWellsDialog
from openhcs_gui_services.widgets.plates.host import FullPlateHost, PlateHost
from openhcs_gui_services.widgets.plates.manager_parts import PlateManagerParts
from openhcs_gui_services.widgets.plates.message_bar import Offer
from openhcs_gui_services.widgets.plates.open_folder import open_folder
from openhcs_gui_services.widgets.plates.run_phase import BusyTime, PlateAction, plates_for, scope_text
from openhcs_gui_services.widgets.plates.stop_question import StopAnswer, StopQuestion
from openhcs_runtime.stores.path import is_url

__all__ = ["PlateCommands"]

_SLOW_STOP_MS = 10_000
"""After a stop has taken this long, Force stop is offered."""


class PlateCommands(QObject):
    """Carries out the actions on the plates that they name.

    Args:
        host: the owner of the plates.
        parts: the widgets.
        actions: the actions, which are connected here.
        tasks: where calls to the host are started.
        clock: how long the running wells have been worked on.
        ask_from_seconds: how much work may be lost without asking.
        owner: the parent of dialogs.
    """

    asking = Signal()
    """A call to the host is about to start."""
    changed = Signal()
    """What is offered has changed."""

    def __init__(
        self,
        host: PlateHost,
        parts: PlateManagerParts,
        actions: PlateActions,
        tasks: BackgroundTasks,
        clock: BusyTime,
        ask_from_seconds: float,
        owner: QWidget,
    ) -> None:
        super().__init__(owner)
        self._host, self._parts, self._tasks, self._clock = host, parts, tasks, clock
        self._full = host if isinstance(host, FullPlateHost) else None
        self._ask_from = ask_from_seconds
        self._owner = owner
        self._removals = 0
        self._question: StopQuestion | None = None
        self.kill_asked = False
        self._will_wait = False
        """Whether the user rather waits for what is stopping, so that Force stop is not offered again."""
        self._slow = QTimer(self)
        self._slow.setSingleShot(True)
        self._slow.setInterval(_SLOW_STOP_MS)
        self._slow.timeout.connect(self._offer_kill)
        self._connect(actions)

    @property
    def is_full(self) -> bool:
        """Whether the host can run chosen wells, order its queue and undo a removal."""
        return self._full is not None

    @property
    def can_undo_remove(self) -> bool:
        """Whether plates were removed that can be added again."""
        return self.is_full and self._removals > 0

    def chosen(self) -> list[PlateRow]:
        """Return the plates that actions apply to: the selected ones, or else the current one; never a hidden one."""
        plates = self._parts.table.plates
        paths = self._parts.table.selected_paths() or [self._parts.table.current_path() or ""]
        return [row for path in paths if (row := plates.row_of(path)) is not None]

    def current(self) -> PlateRow | None:
        """Return the plate with the focus."""
        return self._parts.table.plates.row_of(self._parts.table.current_path() or "")

    def settle(self) -> None:
        """Forget questions about a stop, as nothing is running any more."""
        self.kill_asked = self._will_wait = False
        self._slow.stop()
        if self._question is not None:
            self._question.reject()

    def start(self, work: Coroutine[object, object, None], purpose: str) -> None:
        """Start a call to the host, which makes earlier messages out of date."""
        self._parts.messages.forget()
        self.asking.emit()
        self._tasks.start(work, purpose)

    def say(self, text: str, is_error: bool = False, path: str = "", offer: Offer | None = None) -> None:
        """Show a message below the plates."""
        self._parts.messages.say(text, is_error, path, offer)

    # --- adding and removing -----------------------------------------------------------------------------------------

    def add(self, paths: Sequence[str]) -> None:
        """Add these folders, or the plates in them, read them, and select them."""
        if paths:
            self.start(self._find_and_add(list(paths)), "Adding plates")

    def choose_folders(self) -> None:
        """Ask for folders to add."""
        current = self.current()
        folder = "" if current is None or is_url(current.path) else str(Path(current.path).parent)
        dialog = FoldersDialog(self._owner, folder)
        dialog.chosen.connect(self.add)
        dialog.open()

    async def _find_and_add(self, paths: list[str]) -> None:
        direct: list[str] = []
        several: list[str] = []
        for path in paths:
            found = [path] if is_url(path) else list(await find_plate_folders(path))
            (direct if len(found) == 1 else several).extend(found)
        if several:
            dialog = FoundPlatesDialog(several, self._owner)
            dialog.chosen.connect(lambda chosen: self.start(self._add(chosen), "Adding plates"))
            dialog.open()
        if direct:
            await self._add(direct)

    async def _add(self, paths: Sequence[str]) -> None:
        known = {row.path for row in self._host.rows()}
        await self._host.add(list(paths))
        new = [row.path for row in self._host.rows() if row.path not in known]
        self._show(new or [row.path for row in self._host.rows() if row.path in set(paths)])
        await self._host.initialise(new)

    def _show(self, paths: Sequence[str]) -> None:
        """Select plates, and clear a filter that would hide them."""
        table = self._parts.table
        if any(table.plates.number_of(path) is None for path in paths):
            self._parts.filter.clear()
        if paths:
            table.select_paths(paths, paths[0])
            number = table.plates.number_of(paths[0])
            if number is not None:
                table.scrollTo(table.plates.index(number, 0))

    def remove(self) -> None:
        """Remove the chosen plates; ask if a pipeline would go that is in no file."""
        paths = plates_for(PlateAction.REMOVE, self.chosen())
        rows = [row for row in self.chosen() if row.path in paths]
        kept = {row.pipeline for row in self._host.rows() if row.path not in paths}
        lost = [row for row in rows if row.is_pipeline_modified and row.pipeline not in kept]
        if not lost:
            self._remove(rows)
            return
        self._ask(
            f"Remove {scope_text(rows)}?",
            f"The pipeline of {scope_text(lost)} was edited and is saved in no file. It comes back with Undo remove, "
            "as long as the window is open.",
            "Remove",
            lambda: self._remove(rows),
        )

    def _remove(self, rows: Sequence[PlateRow]) -> None:
        if rows:
            self.start(self._remove_now(rows), "Removing plates")

    async def _remove_now(self, rows: Sequence[PlateRow]) -> None:
        before = {row.path for row in self._host.rows()}
        await self._host.remove([row.path for row in rows])
        gone = before - {row.path for row in self._host.rows()}
        if not gone:
            return
        self._removals += 1
        undo = Offer("Undo", "Add the plates again that were removed (Ctrl+Z)", self.undo_remove)
        text = f"{scope_text([row for row in rows if row.path in gone])} removed from the list; files are kept"
        self.say(text, offer=undo if self.is_full else None)
        self.changed.emit()

    def undo_remove(self) -> None:
        """Add the plates again that were removed last."""
        if self._full is not None and self._removals:
            self._removals -= 1
            self.start(self._take_back(self._full), "Adding plates")

    async def _take_back(self, host: FullPlateHost) -> None:
        known = {row.path for row in self._host.rows()}
        await host.take_back()
        self._show([row.path for row in self._host.rows() if row.path not in known])
        self.changed.emit()

    # --- running -----------------------------------------------------------------------------------------------------

    def run_all(self) -> None:
        """Run all plates that the filter shows; ask if they are several."""
        rows = self._parts.table.plates.shown_rows
        paths = plates_for(PlateAction.RUN, rows)
        if len(paths) < 2:
            self._call(self._host.run, paths, "Run")
            return
        wells = sum(row.well_count or 0 for row in rows if row.path in set(paths))
        self._ask(
            f"Run {len(paths)} plates?",
            f"They have {wells:,} wells. Wells that were finished with the same pipeline are taken over, and results "
            "of earlier runs are kept.",
            f"Run {len(paths)} plates",
            lambda: self._call(self._host.run, paths, "Run"),
        )

    def run_wells(self) -> None:
        """Run the wells that are selected in the map."""
        self._run_chosen(WellChoice(wells=tuple(self._parts.map.selected_wells)))

    def run_rest(self) -> None:
        """Run the current plate; wells that are done are taken over."""
        row = self.current()
        if row is not None:
            self._call(self._host.run, plates_for(PlateAction.RUN, [row]), "Run")

    def choose_wells(self) -> None:
        """Ask which wells to run."""
        host, row = self._full, self.current()
        if host is None or row is None:
            return
        path = row.path
        wells = tuple(self._parts.map.selected_wells)
        dialog = ChooseWellsDialog(
            row.name, wells, lambda choice: host.preview_wells(path, choice), self._tasks, self._owner
        )
        dialog.chosen.connect(self._run_chosen)
        dialog.open()

    def _run_chosen(self, choice: WellChoice) -> None:
        row = self.current()
        if self._full is not None and row is not None and plates_for(PlateAction.RUN, [row]):
            self.start(_awaited(self._full.run_wells(row.path, choice)), "Run")

    def _do(
        self, action: PlateAction, call: Callable[[Sequence[str]], Coroutine[object, object, object]], purpose: str
    ) -> None:
        self._call(call, plates_for(action, self.chosen()), purpose)

    def _call(
        self, call: Callable[[Sequence[str]], Coroutine[object, object, object]], paths: Sequence[str], purpose: str
    ) -> None:
        if paths:
            self.start(_awaited(call(paths)), purpose)

    # --- the queue ---------------------------------------------------------------------------------------------------

    def move(self, path: str, place: int) -> None:
        """Move a waiting plate to a place in the queue, from 1."""
        if self._full is not None and place >= 1:
            self.start(_awaited(self._full.move_in_queue(path, place)), "Moving")

    def _move_by(self, places: int) -> None:
        for row in self.chosen()[:1]:
            if row.snapshot.queue_position is not None:
                self.move(row.path, row.snapshot.queue_position + places)

    # --- stopping ----------------------------------------------------------------------------------------------------

    def stop(self, rows: Sequence[PlateRow] | None = None) -> None:
        """Stop plates [default: the chosen ones]; ask how if much work would be lost."""
        rows = self.chosen() if rows is None else rows
        paths = plates_for(PlateAction.STOP, rows)
        if not paths:
            return
        if self._clock.seconds_of(paths) <= self._ask_from:
            self._take_answer(StopAnswer.NOW, paths, scope_text([row for row in rows if row.path in paths]))
        else:
            self._ask_how(paths, rows, kills=False)

    def kill(self) -> None:
        """End the processes of the chosen plates that don't stop, after asking."""
        rows = self.chosen()
        paths = plates_for(PlateAction.KILL, rows)
        if paths:
            self._ask_how(paths, rows, kills=True)

    def cancel_well(self, axis_id: str) -> None:
        """Cancel a well of the current plate."""
        row = self.current()
        if row is not None:
            call = self._host.cancel_well(row.path, axis_id)
            self.start(_awaited(call), f"Stopping well {axis_id}")
            self.say(f"Stopping well {axis_id}", path=row.path)

    def _ask_how(self, paths: Sequence[str], rows: Sequence[PlateRow], *, kills: bool) -> None:
        if self._question is not None:
            return
        scope = scope_text([row for row in rows if row.path in set(paths)])
        wells, seconds = self._clock.wells_of(paths), self._clock.seconds_of(paths)
        question = StopQuestion(wells, seconds, kills=kills, scope=scope, parent=self._owner)
        self._question = question
        question.answered.connect(lambda answer: self._on_answer(answer, paths, scope, kills=kills))
        question.open()

    def _on_answer(self, answer: StopAnswer, paths: Sequence[str], scope: str, *, kills: bool) -> None:
        self._question = None
        self._take_answer(answer, paths, scope, kills=kills)

    def _take_answer(self, answer: StopAnswer, paths: Sequence[str], scope: str, *, kills: bool = False) -> None:
        if answer is StopAnswer.KEEP_RUNNING:
            self._will_wait = self._will_wait or kills
            return
        host, full = self._host, self._full
        match answer:
            case StopAnswer.KILL:
                self.kill_asked = True
                text = f"Ending the processes of {scope}"
                call = host.stop(graceful=False) if full is None else full.stop_plates(paths, graceful=False)
            case StopAnswer.AFTER_WELLS:
                text = f"Stopping {scope} after the wells that are being worked on"
                call = host.stop_after_wells() if full is None else full.stop_plates_after_wells(paths)
            case _:
                text = f"Stopping {scope}"
                call = host.stop(graceful=True) if full is None else full.stop_plates(paths)
                self._slow.start()
        self.start(_awaited(call), "Stopping")
        self.say(text, path=paths[0] if len(paths) == 1 else "")
        self.changed.emit()

    def _offer_kill(self) -> None:
        """Offer Force stop at another place than Stop, once a stop has taken long."""
        rows = [row for row in self._host.rows() if plates_for(PlateAction.KILL, [row])]
        if not rows or self.kill_asked or self._will_wait or self._question is not None:
            return
        paths = [row.path for row in rows]
        offer = Offer(
            "Force stop...",
            f"Stop {scope_text(rows)} at once; the work on unfinished wells is lost (Ctrl+Shift+K)",
            lambda: self._ask_how(paths, rows, kills=True),
        )
        self.say(f"{scope_text(rows)} has not stopped yet: it stops at the end of its image group", offer=offer)

    # --- results -----------------------------------------------------------------------------------------------------

    def open_results(self) -> None:
        """Open the folder of results of the current plate."""
        row = self.current()
        if row is not None and row.results is not None:
            self.start(self._open(Path(row.results)), "Opening the results")

    async def _open(self, folder: Path) -> None:
        if not folder.is_dir():
            self.say(f"The folder {folder} is not there just now: connect its drive", True)
        elif not await open_folder(folder):
            self.say(f"No program was found that opens folders; the results are in {folder}", True)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _connect(self, actions: PlateActions) -> None:
        host = self._host
        actions.add.triggered.connect(self.choose_folders)
        actions.remove.triggered.connect(self.remove)
        actions.undo_remove.triggered.connect(self.undo_remove)
        actions.initialise.triggered.connect(lambda: self._do(PlateAction.INIT, host.initialise, "Read"))
        actions.compile.triggered.connect(lambda: self._do(PlateAction.COMPILE, host.compile, "Check"))
        actions.run.triggered.connect(lambda: self._do(PlateAction.RUN, host.run, "Run"))
        actions.run_all.triggered.connect(self.run_all)
        actions.run_wells.triggered.connect(self.run_wells)
        actions.run_rest.triggered.connect(self.run_rest)
        actions.choose_wells.triggered.connect(self.choose_wells)
        actions.resume.triggered.connect(lambda: self._do(PlateAction.RESUME, host.resume, "Resume"))
        actions.stop.triggered.connect(lambda: self.stop())
        actions.stop_all.triggered.connect(lambda: self.stop(self._parts.table.plates.shown_rows))
        actions.kill.triggered.connect(self.kill)
        actions.move_up.triggered.connect(lambda: self._move_by(-1))
        actions.move_down.triggered.connect(lambda: self._move_by(1))
        actions.results.triggered.connect(self.open_results)

    def _ask(self, text: str, details: str, verb: str, go: Callable[[], None]) -> None:
        box = QMessageBox(QMessageBox.Icon.Question, verb, text, QMessageBox.StandardButton.Cancel, self._owner)
        box.setWindowTitle(verb)
        box.setInformativeText(details)
        button = box.addButton(verb, QMessageBox.ButtonRole.AcceptRole)
        assert button is not None
        button.clicked.connect(go)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        # "Text" of a box may be rich; names of folders are not.
        box.open()


async def _awaited(call: Coroutine[object, object, object]) -> None:
    await call
