"""Runs a sweep on a server and waits for its end; the command line has a loop of its own, which shows progress."""

from collections.abc import Sequence
from datetime import datetime

from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.sweep.parameters import SweepParameter, combinations
from openhcs_runtime.sweep.record import SweepRecord
from openhcs_runtime.sweep.results import SweepFolder
from openhcs_runtime.tasks import PlateTask

__all__ = ["run_sweep"]


def run_sweep(client: ZMQExecutionClient, task: PlateTask, parameters: Sequence[SweepParameter]) -> SweepRecord | None:
    """Run a pipeline once for each combination of values, and compare the results.

    Each run has a folder of its own, as any other run: a later run with the same values takes over its wells, and so
    does the same sweep if it is broken off and begun again.

    Args:
        client: a connected client of a server on this machine.
        task: what the runs have in common; ``client.plate_task(...)`` makes one.
        parameters: the parameters, each with its values.

    Returns:
        What was written; None if no run has processed a well.

    Raises:
        PipelineError: a parameter is there twice, or there are too many combinations.
        OutputError: the results can't be written.
    """
    each = combinations(parameters)
    folder = SweepFolder([parameter.name for parameter in parameters], datetime.now().astimezone())
    ids = [client.submit_task(combination.task(task)).execution_id for combination in each]
    for combination, execution_id in zip(each, ids, strict=True):
        execution = client.wait(execution_id)
        folder.add(combination, execution.plate, execution.message)
    return folder.finish()
