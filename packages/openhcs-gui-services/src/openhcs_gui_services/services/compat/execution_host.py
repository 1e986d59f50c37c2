"""The hosts of older windows: what they must have, and what keeps them as a workspace says it is."""

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
    Protocol = object  # the metaclass of a protocol clashes with that of a QWidget, which may have a host as a base

__all__ = ["CompilationHost", "ExecutionHost", "HostMirror", "source_of"]


class CompilationHost(Protocol):
    """What a window has that lets a :class:`CompilationService` compile its plates.

    It need not be named as a base class, but may be, of a ``QWidget`` too; what counts is what the window has.
    ``orchestrators`` has the pipeline of each plate by its path; see :func:`source_of`. ``plate_compiled_data`` gets
    the id of each plate's compilation as ``{"compile_artifact_id": ...}``.
    """

    plate_compiled_data: dict[str, Any]
    orchestrators: dict[str, Any]
    global_config: Any

    def emit_status(self, msg: str) -> None:
        """A line for the status bar."""

    def emit_error(self, msg: str) -> None:
        """A line that tells of something wrong."""

    def emit_orchestrator_state(self, plate_path: str, state: str) -> None:
        """The plate is in another state, one of the values of :class:`PlateStatus`."""

    def update_button_states(self) -> None:
        """What can be done has changed."""

    def update_item_list(self) -> None:
        """What is shown of some plate has changed."""


class ExecutionHost(CompilationHost, Protocol):
    """What a window has that lets a :class:`ZMQExecutionService` run its plates.

    ``execution_state`` is ``idle``, ``running`` or ``stopping``; ``plate_execution_states`` has values of
    :class:`PlateStatus`, but ``completed`` for a plate that is complete. The results are those of
    ``openhcs_runtime.results.PlateResult.to_dict``, empty without one.
    """

    execution_state: str
    plate_execution_ids: dict[str, str]
    plate_execution_states: dict[str, str]
    current_execution_id: str | None

    def emit_execution_complete(self, result: dict[str, Any], plate_path: str) -> None:
        """The plate's run has ended, whichever way."""

    def emit_clear_logs(self) -> None:
        """A new batch begins."""

    def on_plate_completed(self, plate_path: str, status: str, result: dict[str, Any]) -> None:
        """The plate's run has ended with this status."""

    def on_all_plates_completed(self, completed: int, failed: int) -> None:
        """The batch has ended: so many plates complete, so many not."""


class HostMirror:
    """Hands the plates of a host to a workspace, and passes what the workspace tells on to the host.

    The host names its plates as it likes, by paths with or without what makes them absolute; it is told of them so.

    Args:
        workspace: has the plates.
        host: is told of states and messages.
        on_row: called with each changed row, after the host's name of the plate.
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
        """Put the plates of a host's items, each with its ``path``, into the workspace with pipeline and settings.

        A pipeline that is the one before leaves the plate as compiled as it was.

        Returns:
            The names of the plates by their paths in the workspace, and the names of those that were left out because
            their pipelines can't be had; the host has been told why.
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
    """The Python source of a plate's pipeline: a text is it already; of an orchestrator, it is that of its pipeline.

    Args:
        orchestrator: a text, a ``PipelineOrchestrator``, a ``Pipeline``, or a list of ``FunctionStep``.

    Raises:
        PipelineError: there is none, or its steps can't be written as source.
    """
    if orchestrator is None:
        raise PipelineError("the host has no orchestrator of this plate; make one first")
    if isinstance(orchestrator, str):
        return orchestrator
    from openhcs_runtime import PipelineOrchestrator, to_source  # noqa: PLC0415 - loads image libraries, which a host of texts needs not

    if isinstance(orchestrator, PipelineOrchestrator):
        known = orchestrator
        return to_source(known.steps, global_config=known.global_config, pipeline_config=known.pipeline_config)
    pipeline: Any = orchestrator
    return to_source(pipeline)
