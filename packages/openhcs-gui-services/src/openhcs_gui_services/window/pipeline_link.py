"""Link between pipeline pane and plates: the pane shows the current plate's pipeline, and edits go to the plates."""

from pathlib import Path

from PyQt6.QtCore import QObject

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.plates.values import PlatesChanged, WorkspaceEvent
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.pipeline.pane import EMPTY_PIPELINE, PipelinePane
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget

__all__ = ["PipelineLink"]


class PipelineLink(QObject):
    """Applies edits to the current plate and to the selected plates that had the same pipeline before, or none.

    Plates that are added later get the pipeline that was edited last. The workspace keeps edits even if they have not
    been saved to a file, so nothing is lost when another plate is shown.
    """

    def __init__(
        self, pane: PipelinePane, manager: PlateManagerWidget, workspace: PlateWorkspace, tasks: BackgroundTasks
    ) -> None:
        super().__init__(pane)
        self._pane, self._manager, self._workspace, self._tasks = pane, manager, workspace, tasks
        self._plate = ""
        """The plate whose pipeline is shown, and its text when it was last passed to plates."""
        self._shown = ""
        self._is_loading = False
        self._files: dict[str, Path] = {}
        """Texts that are identical to a file."""
        pane.source_changed.connect(lambda _: self.take_edit())
        pane.check_requested.connect(lambda _: self._check())
        pane.file_changed.connect(self._on_file)
        manager.current_changed.connect(lambda _: self.show_current())
        manager.asking.connect(self.take_edit)
        self.destroyed.connect(workspace.subscribe(self._on_event))
        if workspace.default_pipeline:
            self._load(workspace.default_pipeline)
        self.show_current()

    def show_current(self) -> None:
        """Show the pipeline of the current plate."""
        self.take_edit()
        row = self._manager.current
        self._plate = "" if row is None else row.path
        if row is None:
            return
        if row.pipeline and row.pipeline != self._pane.source():
            self._load(row.pipeline)
        elif not row.pipeline and self._shown:
            self._give([row.path])
        self._pane.show_problems(self._workspace.problems(row.path))

    def take_edit(self) -> None:
        """Pass typed text to the plates now; the pane's own signal comes with a short delay."""
        text = self._pane.source()
        if self._is_loading or text in (self._shown, EMPTY_PIPELINE):
            return
        before, self._shown = self._shown, text
        self._workspace.default_pipeline = text
        current = self._manager.current
        is_current = current is not None and current.path == self._plate
        paths = [self._plate, *(row.path for row in self._manager.selected_rows() if is_current)]
        rows = [row for path in dict.fromkeys(paths) if (row := self._manager.table.plates.row_of(path)) is not None]
        self._give([row.path for row in rows if row.pipeline in ("", before)])

    def _load(self, text: str) -> None:
        self._is_loading = True
        self._pane.set_source(text, self._files.get(text))
        self._is_loading = False
        self._shown = text

    def _give(self, paths: list[str]) -> None:
        if paths:
            file = "" if self._pane.path is None else str(self._pane.path)
            self._tasks.start(self._workspace.set_pipeline(paths, self._shown, file), "Changing the pipeline")

    def _on_file(self, path: Path | None) -> None:
        if path is not None and not self._pane.is_modified:
            self._files[self._pane.source()] = path

    def _check(self) -> None:
        if self._manager.current is None:
            self._manager.show_message("Add a plate first: pipelines are checked against a plate", True)
        else:
            self._manager.actions_.compile.trigger()

    def _on_event(self, event: WorkspaceEvent) -> None:
        row = self._manager.current
        if isinstance(event, PlatesChanged) and row is not None and any(each.path == row.path for each in event.rows):
            self._pane.show_problems(self._workspace.problems(row.path))
