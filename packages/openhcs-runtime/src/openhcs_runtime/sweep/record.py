"""What ``sweep.json`` has: the runs of a sweep, with their values and folders."""

import msgspec

from openhcs_runtime.tasks import Setting


class SweepRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a sweep.

    Attributes:
        settings: its values.
        status: a value of ``ResultStatus``, or why there is no result.
        folder: folder of the run; empty if no well was processed.
        counts: the sum of each ``..._count`` column over its wells.
        wells_done: number of complete wells.
        seconds: processing time of its wells, also of those that were taken over.
    """

    settings: tuple[Setting, ...]
    status: str
    folder: str = ""
    counts: dict[str, int] = {}
    wells_done: int = 0
    seconds: float = 0.0


class SweepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``sweep.json``.

    Attributes:
        plate_path: the plate.
        parameters: names of the parameters that were swept.
        folder: folder of the sweep.
        runs: its runs, those that have ended.
        table: path of the table.
        picture: path of the picture; empty if there is nothing to draw.
        no_picture: why there is nothing to draw.
    """

    plate_path: str
    parameters: tuple[str, ...]
    folder: str
    runs: tuple[SweepRun, ...] = ()
    table: str = ""
    picture: str = ""
    no_picture: str = ""
