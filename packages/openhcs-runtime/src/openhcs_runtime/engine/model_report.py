"""The line in the log of a run that says how many models were loaded."""

from collections.abc import Iterable

from openhcs_runtime.pipeline.models import ModelCounts
from zmqruntime.execution import Task


def report_models(task: Task, counts: Iterable[ModelCounts]) -> None:
    """Log the counts of all workers together, if any model was used."""
    total = sum(counts, ModelCounts())
    if total:
        task.log.info("%s", total)
