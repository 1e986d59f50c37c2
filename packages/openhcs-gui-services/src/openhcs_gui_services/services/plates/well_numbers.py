"""What a run has recorded of a well: its counts, and what its steps have cost. Without Qt."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openhcs_runtime.results import StepCost
from zmqruntime.execution.text import first_line

__all__ = ["WellNumbers", "read_well_numbers"]


@dataclass(frozen=True, slots=True)
class WellNumbers:
    """The numbers of a finished well.

    Attributes:
        counts: number of objects by what they are, such as ``Nuclei``.
        steps: what each step has cost.
        problem: why the record can't be read, in one line.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    steps: tuple[StepCost, ...] = ()
    problem: str = ""


async def read_well_numbers(run: str, well: str) -> WellNumbers | None:
    """Return the numbers of a well, read in a thread; None if the run has not finished it.

    Args:
        run: folder of the run.
        well: name of the well.
    """
    return await asyncio.to_thread(_read, Path(run), well)


def _read(run: Path, well: str) -> WellNumbers | None:
    from openhcs_runtime.exceptions import OutputError  # noqa: PLC0415
    from openhcs_runtime.outputs.wells import read_part  # noqa: PLC0415  loads numpy, which a window doesn't need yet

    try:
        record = read_part(run, well)
    except OutputError as error:
        return WellNumbers(problem=first_line(str(error)))
    if record is None:
        return None
    return WellNumbers({_title(name): count for name, count in record.counts.items()}, record.steps)


def _title(column: str) -> str:
    """Return what is counted by a column: ``Nuclei`` for ``nuclei_count``."""
    words = column.removesuffix("_count").replace("_", " ")
    return words[:1].upper() + words[1:]
