"""The execution server of OpenHCS: each execution runs one pipeline on one plate."""

import importlib
from typing import TYPE_CHECKING, Any

from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.execution import ExecutionServer
from zmqruntime.messages import ExecuteRequest

if TYPE_CHECKING:
    from openhcs_runtime.engine.executors.kept import KeptWorkers

__all__ = ["OpenHCSExecutionServer"]


class OpenHCSExecutionServer(ExecutionServer):
    """Runs what :class:`openhcs_runtime.service.client.ZMQExecutionClient` submits.

    The payload of a request is a :class:`openhcs_runtime.tasks.PlateTask`; the result of an execution can be read
    with :func:`openhcs_runtime.tasks.read_result`. An execution fails if any of its wells failed; it still has a
    result.

    Args:
        port: as for :class:`zmqruntime.execution.ExecutionServer`.
        host: as for :class:`zmqruntime.execution.ExecutionServer`.
        transport_mode: as for :class:`zmqruntime.execution.ExecutionServer`.
        config: as for :class:`zmqruntime.execution.ExecutionServer`.
        max_concurrent: as for :class:`zmqruntime.execution.ExecutionServer`.
        preload: import the image libraries immediately, as workers do; the server itself doesn't need them.
    """

    def __init__(
        self,
        port: int | None = None,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        max_concurrent: int = 1,
        preload: bool = False,
    ) -> None:
        super().__init__(
            port,
            host=host,
            transport_mode=transport_mode,
            config=config or OPENHCS_CONFIG,
            max_concurrent=max_concurrent,
        )
        self._kept: KeptWorkers | None = None
        if preload:
            _begin_loading()

    worker_preload = "openhcs_runtime.service.warm"

    def worker_options(self) -> dict[str, Any]:
        """Let workers import the image libraries before their first task."""
        return {"preload": True}

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> dict[str, Any]:
        """Run the pipeline of a :class:`PlateTask` on its plate; see ``service.worker.run_plate_task``."""
        # Only workers import image libraries.
        from openhcs_runtime.engine.executors.kept import KeptWorkers  # noqa: PLC0415
        from openhcs_runtime.service.warm import nursery  # noqa: PLC0415
        from openhcs_runtime.service.worker import run_plate_task  # noqa: PLC0415

        if self._kept is None:
            self._kept = KeptWorkers(nursery=nursery)
        return run_plate_task(request.payload, self._kept)

    def why_unfit(self) -> str | None:
        """Return what the code of a pipeline has changed in the process, which then runs no other one."""
        from openhcs_runtime.pipeline.patches import patches_here  # noqa: PLC0415 - only workers import numpy

        return patches_here().found() or None


def _begin_loading() -> None:
    """Import what tasks need; where workers can't be forked from this process, also in the one that they are from."""
    if importlib.import_module("openhcs_runtime.service.warm").nursery is None:
        importlib.import_module("openhcs_runtime.engine.executors").warm_up()
    importlib.import_module("openhcs_runtime.pipeline.patches").patches_here()
