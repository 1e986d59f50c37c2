"""``profile``: wells compared with controls or the plate, with assay quality, hits and dose responses."""

import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.commands.results import find_results
from openhcs_runtime.cli.declare import Argument, BadParameter, Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json, ResultsPath, WithExcluded, read_wells
from openhcs_runtime.profiles.columns import MapRole
from openhcs_runtime.profiles.words import Centre, Normalisation, Reference

if TYPE_CHECKING:
    from openhcs_runtime.profiles.screen import Screen, ScreenRequest
    from zmqruntime.execution.cli.output import Output

__all__ = ["profile"]


def _above_zero(text: str) -> float:
    """Parse a number above 0."""
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < math.inf:
            return number
    raise BadParameter(f"{str(text)!r} is not a number above 0")


def profile(
    results: ResultsPath,
    table: Annotated[
        str | None,
        Argument(metavar="SET", help="Set of objects, such as nuclei, or wells [default: the only set]"),
    ] = None,
    measure: Annotated[
        list[str] | None,
        Option(
            metavar="NAME,NAME",
            help="Only these columns of the set; can be given several times [default: all that are numbers]",
        ),
    ] = None,
    centre: Annotated[Centre, Option("--centre", help="How objects of a well become a value")] = Centre.MEDIAN,
    where: Annotated[
        str | None,
        Option(metavar="EXPR", help="Only objects for which this is true, e.g. 'area_um2 > 40' [default: all]"),
    ] = None,
    normalise: Annotated[
        Normalisation, Option("--normalise", help="How wells are compared with others")
    ] = Normalisation.ROBUST_Z_SCORE,
    to: Annotated[
        Reference | None,
        Option(
            "--to",
            help="What they are compared with [default: controls; plate with b_score, and with z and robust_z if fewer "
            "than 3 negative controls are left]",
        ),
    ] = None,
    negative: Annotated[
        str | None,
        Option(
            metavar="EXPR",
            help="Negative controls by the plate map, e.g. \"compound == 'DMSO'\" [default: the wells with negative, "
            "DMSO or the like in a column control or control_type]",
        ),
    ] = None,
    positive: Annotated[
        str | None,
        Option(
            metavar="EXPR",
            help="Positive controls [default: the wells with positive in a column control or control_type]",
        ),
    ] = None,
    column: Annotated[
        str | None,
        Option(
            metavar="ROLE=NAME,...",
            help="Columns of the plate map with compound, dose, dose_unit, control, replicate or cell_line [default: "
            "those with usual names]",
        ),
    ] = None,
    hits: Annotated[bool, Option("--hits", help="List the wells beyond the threshold")] = False,
    threshold: Annotated[
        float,
        Option(parser=_above_zero, metavar="N", help="With --hits: how far from 0 a hit is at least"),
    ] = 3.0,
    dose_response: Annotated[bool, Option("--dose-response", help="Fit a curve for each compound with doses")] = False,
    replicates: Annotated[
        bool, Option("--replicates", help="Compare replicates with wells of other compounds")
    ] = False,
    output_file: Annotated[
        Path | None,
        Option(
            "--output",
            metavar="FILE.csv|FILE.parquet",
            help="Table of wells; FILE_quality, FILE_hits and FILE_dose_response go next to it [default: "
            "RUN_SET_profile.csv in the current folder]",
        ),
    ] = None,
    with_excluded: WithExcluded = False,
    as_json: Json = False,
) -> int:
    """Compare wells with controls or with their plate, and write a table of them.

    Prints how well the assay tells its controls apart (Z', SSMD), hits, EC50s. Which wells are controls is said by the
    plate map that the plate was run with.

    \b
      openhcs-runtime profile demo nuclei --measure nuclei_count --hits
      openhcs-runtime profile demo --measure nuclei_count --normalise inhibition --dose-response
      openhcs-runtime profile demo --negative "compound == 'DMSO'" --output wells.parquet
      openhcs-runtime profile demo --normalise b_score --measure nuclei_count --hits --threshold 4

    Well values are medians of their objects. z, robust_z and percent compare with negative controls, with --to plate
    with all wells; inhibition is 0 for negative and 100 for positive controls; b_score removes row and column effects.
    """
    with uninterrupted():
        from openhcs_runtime.profiles.screen import ScreenRequest
        from zmqruntime.execution.cli.output import Output
    output = Output(as_json)
    request = ScreenRequest(
        table=table or "",
        measures=tuple(name for text in measure or () for name in read_wells(text)),
        centre=centre,
        where=where or "",
        method=normalise,
        to=to,
        negative=negative or "",
        positive=positive or "",
        columns=_roles(column),
        hits=hits,
        threshold=threshold,
        dose_response=dose_response,
        replicates=replicates,
        with_excluded=with_excluded,
    )
    run = find_results(results, output)
    return _profile(run.folder, request, output_file, output)


def _roles(text: str | None) -> dict[MapRole, str]:
    """The columns of ``--column dose=conc,compound=drug``. Raises BadParameter."""
    found: dict[MapRole, str] = {}
    for pair in read_wells(text):
        role, _, name = (part.strip() for part in pair.partition("="))
        if role not in set(MapRole) or not name:
            raise BadParameter(f"{pair!r} is not ROLE=NAME with a role of {', '.join(MapRole)}")
        found[MapRole(role)] = name
    return found


def _profile(run: Path, request: "ScreenRequest", target: Path | None, output: "Output") -> int:
    from openhcs_runtime.cli.profile_view import print_screen, screen_document

    screen = _screen(run, request)
    path = target or Path(f"{run.name}_{screen.profiles.table}_profile.csv")
    files = _write(path, screen, request)
    if not output.as_json:
        print_screen(screen, hits=request.hits, dose_response=request.dose_response, threshold=request.threshold)
        output.line()
        output.line(f"Written: {', '.join(map(str, files))}")
    return output.document(
        {
            "results": str(run),
            "files": [str(file.resolve()) for file in files],
            "normalised": request.method.value,
            "compared_with": None if request.method is Normalisation.NONE else screen.comparison.to.value,
            "compared_because": screen.comparison.reason,
            **screen_document(screen),
        }
    )


def _screen(run: Path, request: "ScreenRequest") -> "Screen":
    from openhcs_runtime.exceptions import OutputError, PlateMapError
    from openhcs_runtime.profiles.screen import profile_screen
    from openhcs_runtime.tables.read import open_results
    from zmqruntime.execution.cli.failures import CommandError, ErrorKind

    try:
        return profile_screen(open_results(run), request)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    except (PlateMapError, ValueError) as error:
        raise CommandError(ErrorKind.USAGE, str(error)) from error


def _write(path: Path, screen: "Screen", request: "ScreenRequest") -> list[Path]:
    """Write the table of wells, and next to it those of quality, hits and dose responses that were asked for."""
    from openhcs_runtime.cli.failures import unwritten
    from openhcs_runtime.exceptions import OutputError
    from openhcs_runtime.profiles.tables import write_screen

    try:
        return write_screen(path, screen, hits=request.hits, dose_response=request.dose_response)
    except OutputError as error:
        raise unwritten(error) from error
