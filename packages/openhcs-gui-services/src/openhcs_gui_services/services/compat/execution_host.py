"""Protocols for the hosts of earlier documents, and the mirror that keeps them in step with a workspace."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from openhcs_gui_services.services.plates.record import plate_path
from openhcs_gui_services.services.plates.settings import RunSettings
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import (
    PlateRow,
    PlatesAdded,
    PlatesChanged,
    PlatesRemoved,
    StatusMessage,
    WorkspaceEvent,
)
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_runtime.exceptions import PipelineError

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # the metaclass of a protocol conflicts with that of a QWidget, which may have a host as a base

__all__ = ["CompilationHost", "ExecutionHost", "HostMirror", "source_of"]


class CompilationHost(Protocol):
    """What a window needs so that a :class:`CompilationService` can compile its plates.

    It is optional as a base class, also of a ``QWidget``; any object with these attributes and methods will do.

    Attributes:
        plate_compiled_data: receives the id of each plate's compilation as ``{"compile_artifact_id": ...}``.
        orchestrators: the pipeline of each plate by its path; see :func:`source_of`.
        global_config: settings of the machine; None for the defaults.
    """

    plate_compiled_data: dict[str, Any]
    orchestrators: dict[str, Any]
    global_config: Any

    def emit_status(self, msg: str) -> None:
        """Show a line in the status bar."""

    def emit_error(self, msg: str) -> None:
        """Show an error, in one line."""

    def emit_orchestrator_state(self, plate_path: str, state: str) -> None:
        """Show the new state of a plate, one of the values of :class:`PlateStatus`."""

    def update_button_states(self) -> None:
        """Update the buttons: the available actions have changed."""

    def update_item_list(self) -> None:
        """Update the list of plates: some of them have changed."""


class ExecutionHost(CompilationHost, Protocol):
    """What a window needs so that a :class:`ZMQExecutionService` can run its plates.

    Results have the form of ``openhcs_runtime.results.PlateResult.to_dict``; the dict is empty if there is no result.

    Attributes:
        execution_state: ``idle``, ``running`` or ``stopping``.
        plate_execution_ids: execution ids by plate.
        plate_execution_states: values of :class:`PlateStatus` by plate, but ``completed`` for complete plates.
        current_execution_id: id of the running execution; None if there is none.
    """

    execution_state: str
    plate_execution_ids: dict[str, str]
    plate_execution_states: dict[str, str]
    current_execution_id: str | None

    def emit_execution_complete(self, result: dict[str, Any], plate_path: str) -> None:
        """Handle the end of a plate's run, successful or not."""

    def emit_clear_logs(self) -> None:
        """Clear the logs: a new batch is starting."""

    def on_plate_completed(self, plate_path: str, status: str, result: dict[str, Any]) -> None:
        """Handle the end of a plate's run with this status."""

    def on_all_plates_completed(self, completed: int, failed: int) -> None:
        """Handle the end of the batch, with the number of complete plates and of all others."""


class HostMirror:
    """Passes the plates of a host to a workspace, and the events of the workspace to the host.

    The host can name its plates by absolute or relative paths; calls to the host use the same names.

    Args:
        workspace: the workspace that manages the plates.
        host: receives states and messages.
        on_row: called with the host's name of a plate and its row when the row has changed.
    """

    def __init__(
        self,
        workspace: PlateWorkspace,
        host: CompilationHost,
        on_row: Callable[[str, PlateRow], None] = lambda name, row: None,
    ) -> None:
        self._workspace = workspace
        self._host = host
        self._on_row = on_row
        self._names: dict[str, str] = {}
        self._states = {row.path: row.snapshot.state for row in workspace.rows()}
        self.unsubscribe = workspace.subscribe(self._take)

    async def add(self, items: Iterable[Mapping[str, Any]]) -> tuple[dict[str, str], list[str]]:
        """Add plates to the workspace, with their pipelines and settings.

        A plate whose pipeline has not changed stays compiled.

        Args:
            items: the plates, each with its folder under ``path``.

        Returns:
            The names of the plates by their paths in the workspace, and the names of those that were skipped because
            they have no usable pipeline; the reasons have been reported to the host.
        """
        sources: dict[str, str] = {}
        left_out = []
        for name in dict.fromkeys(str(item["path"]) for item in items):
            try:
                sources[name] = source_of(self._host.orchestrators.get(name))
            except PipelineError as error:
                left_out.append(name)
                self._host.emit_error(f"{name} has no pipeline to run: {error}")
                self._host.emit_orchestrator_state(name, PlateStatus.FAILED.value)
        names = {plate_path(name): name for name in sources}
        self._names.update(names)
        await self._workspace.add(names)
        known = {row.path: row.pipeline for row in self._workspace.rows()}
        for path, name in names.items():
            if known[path] != sources[name]:
                await self._workspace.set_pipeline([path], sources[name])
        if self._host.global_config is not None:
            await self._workspace.set_settings(RunSettings(global_config=self._host.global_config), names)
        return names, left_out

    def _take(self, event: WorkspaceEvent) -> None:
        match event:
            case StatusMessage(text, is_error):
                (self._host.emit_error if is_error else self._host.emit_status)(text)
            case PlatesAdded(rows) | PlatesChanged(rows):
                self._show(rows)
            case PlatesRemoved(paths):
                for path in paths:
                    self._states.pop(path, None)
                    self._names.pop(path, None)
                self._host.update_item_list()

    def _show(self, rows: Sequence[PlateRow]) -> None:
        has_changed = False
        for row in rows:
            name, state = self._names.get(row.path, row.path), row.snapshot.state
            if row.artifact_id is not None:
                self._host.plate_compiled_data[name] = {"compile_artifact_id": row.artifact_id}
            if self._states.get(row.path) is not state:
                self._states[row.path] = state
                self._host.emit_orchestrator_state(name, state.value)
                has_changed = True
            self._on_row(name, row)
        self._host.update_item_list()
        if has_changed:
            self._host.update_button_states()


def source_of(orchestrator: object) -> str:
    """Return the Python source of a plate's pipeline.

    Args:
        orchestrator: the source itself, a ``PipelineOrchestrator``, a ``Pipeline``, or a list of ``FunctionStep``.

    Raises:
        PipelineError: it is None, or its steps can't be written as source.
    """
    if orchestrator is None:
        raise PipelineError("the host has no orchestrator for this plate; create one first")
    if isinstance(orchestrator, str):
        return orchestrator
    from openhcs_runtime import PipelineOrchestrator, to_source  # noqa: PLC0415 - loads image libraries, which a host with source texts does not need

    if isinstance(orchestrator, PipelineOrchestrator):
        known = orchestrator
        return to_source(known.steps, global_config=known.global_config, pipeline_config=known.pipeline_config)
    pipeline: Any = orchestrator
    return to_source(pipeline)
