"""What the steps of a run have cost, in a table and for programs."""

from collections.abc import Sequence
from typing import Any

from openhcs_runtime.outputs.costs import StepTotal, step_totals
from openhcs_runtime.results import StepCost
from zmqruntime.execution.text import plural, size

__all__ = ["costs_document", "print_costs"]

Costs = Sequence[Sequence[StepCost]]
"""The steps of each well."""


def print_costs(wells: Costs, taken_over: int) -> None:
    """One row for each step.

    Args:
        wells: the steps of each well.
        taken_over: how many of the wells were computed by an earlier run, at the cost that is shown.
    """
    # A run without --time does not load them.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    console.print()
    totals = step_totals(wells)
    if not totals:
        console.print("The cost of the steps was not recorded.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Step", overflow="fold")
    for heading in ("Wells", "Seconds", "Per well", "Share", "Peak memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for total in totals:
        table.add_row(Text(total.step), *_cells(total))
    console.print(table)
    if taken_over:
        console.print(f"{plural(taken_over, 'well')} taken over; the table shows what computing them took.")


def costs_document(wells: Costs) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "step": total.step,
            "wells": total.wells,
            "seconds": total.seconds,
            "seconds_per_well": total.mean_seconds,
            "share": total.share,
            "peak_memory_bytes": total.peak_memory_bytes,
        }
        for total in step_totals(wells)
    ]


def _cells(total: StepTotal) -> tuple[str, ...]:
    memory = "-" if total.peak_memory_bytes is None else size(total.peak_memory_bytes)
    seconds = f"{total.seconds:.2f}", f"{total.mean_seconds:.3f}"
    return str(total.wells), *seconds, f"{total.share:.0%}", memory
