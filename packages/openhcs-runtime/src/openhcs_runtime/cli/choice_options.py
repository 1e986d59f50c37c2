"""Options that choose what a run processes: wells, sites, plate map and sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.declare import BadParameter, Option
from openhcs_runtime.cli.options import whole_number
from openhcs_runtime.exceptions import PipelineError, PlateMapError
from openhcs_runtime.selection.names import parse_sites, parse_wells

if TYPE_CHECKING:
    from openhcs_runtime.tasks import Setting

__all__ = [
    "Choice",
    "Keep",
    "PlateMapPath",
    "RunWells",
    "Sample",
    "Set",
    "Sites",
    "Sweep",
    "Time",
    "Where",
    "choice_of",
    "keep_of",
    "settings_of",
]


RunWells = Annotated[
    str | None,
    Option(
        "--wells",
        metavar="W,W-W",
        help="Only these wells: A01,B06, the rectangle A01-C06, row B or column 3 [default: all wells]",
    ),
]
Sites = Annotated[str | None, Option(metavar="N,N-N", help="Only these sites, e.g. 1,2 [default: all sites]")]
Where = Annotated[
    str | None,
    Option(
        metavar="EXPR",
        help="Only wells for which this is true by the plate map, e.g. \"control == 'DMSO'\" [default: all wells]",
    ),
]
PlateMapPath = Annotated[
    Path | None,
    Option(
        "--platemap",
        metavar="FILE",
        help="Plate map for --where and for steps that need one: CSV, Excel or JSON [default: platemap.csv, .xlsx or "
        ".json in the plate or next to it]",
    ),
]
Sample = Annotated[
    int | None,
    Option(
        parser=whole_number(1, 1536),
        metavar="N",
        help="Only N of the wells, spread over the plate; the same ones for the same --seed [default: all wells]",
    ),
]


Set = Annotated[
    list[str] | None,
    Option(
        "--set",
        metavar="NAME=VALUE",
        help="Value of a parameter, e.g. segment_nuclei.diameter_um=12, by the name of its function or step; can be "
        "given several times [default: what the pipeline file says]",
    ),
]


Keep = Annotated[
    list[str] | None,
    Option(
        metavar="STEP",
        help="Keep the images and labels of this step, so that a run in which only later steps differ begins there; "
        "can be given several times [default: those of steps with keep=True]",
    ),
]


Sweep = Annotated[
    list[str] | None,
    Option(
        "--sweep",
        metavar="NAME=V,V,V",
        help="Run once for each of these values of a parameter, and compare the results; given several times, run all "
        "combinations [default: one run]",
    ),
]
Time = Annotated[
    bool, Option("--time", help="Show the seconds and the memory of each step [default: only the total time]")
]


@dataclass(frozen=True, slots=True)
class Choice:
    """The wells and sites that were typed; None for what was left out."""

    wells: tuple[str, ...] | None = None
    sites: tuple[int, ...] | None = None
    where: str | None = None
    plate_map: str | None = None
    sample: int | None = None

    def __bool__(self) -> bool:
        return self != Choice()


def choice_of(
    wells: str | None, sites: str | None, where: str | None, plate_map: Path | None, sample: int | None
) -> Choice:
    """The choice that was typed.

    Raises:
        BadParameter: it can't be understood.
    """
    if all(given is None for given in (wells, sites, where, plate_map, sample)):
        return Choice()
    for option, given, leaves in (
        ("--wells", None if wells is None else wells.replace(",", ""), "use all wells"),
        ("--sites", None if sites is None else sites.replace(",", ""), "use all sites"),
        ("--where", where, "use all wells"),
        ("--platemap", "" if plate_map == Path() else None, "use that of the plate"),
    ):
        _check_given(option, given, leaves)
    try:
        blocks = None if wells is None else tuple(block.text for block in parse_wells([wells]))
        numbers = None if sites is None else parse_sites(sites)
        if where is not None:
            _check_where(where)
    except (PipelineError, PlateMapError) as error:
        raise BadParameter(str(error)) from error
    return Choice(blocks, numbers, where, None if plate_map is None else str(plate_map), sample)


def keep_of(steps: Sequence[str] | None) -> tuple[str, ...]:
    """The steps to keep that were typed.

    Raises:
        BadParameter: one of them is empty.
    """
    for step in steps or ():
        _check_given("--keep", step, "keep only those of steps with keep=True")
    return tuple(steps or ())


def settings_of(texts: Sequence[str] | None) -> "tuple[Setting, ...]":
    """The values of parameters that were typed.

    Raises:
        BadParameter: one of them is not NAME=VALUE.
    """
    from openhcs_runtime.tasks import Setting  # noqa: PLC0415  loads more than help needs

    try:
        return tuple(map(Setting.parse, texts or ()))
    except PipelineError as error:
        raise BadParameter(str(error)) from error


def _check_given(option: str, text: str | None, otherwise: str) -> None:
    """Refuse what is empty, as from a variable of the shell that is not set: it would choose everything."""
    if text is not None and not text.strip():
        raise BadParameter(f"{option} is empty: give a value, or leave {option} out to {otherwise}")


def _check_where(text: str) -> None:
    from openhcs_runtime.plate_map import parse_where  # noqa: PLC0415  few runs need it

    parse_where(text)
