"""``heatmap``: a plate as a picture, its wells coloured by a measurement."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.commands.results import find_results
from openhcs_runtime.cli.declare import Argument, BadParameter, Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json, ResultsPath
from openhcs_runtime.tables.statistic import Statistic

if TYPE_CHECKING:
    from zmqruntime.execution.cli.output import Output

__all__ = ["heatmap"]


def heatmap(
    results: ResultsPath,
    measurement: Annotated[
        str | None,
        Argument(
            metavar="MEASUREMENT",
            help="A column of its tables of images or objects [default: list what can be drawn]",
        ),
    ] = None,
    to: Annotated[
        Path | None,
        Option(
            "--output", metavar="FILE.png", help="Picture [default: RUN_MEASUREMENT_STAT.png in the current folder]"
        ),
    ] = None,
    stat: Annotated[Statistic, Option("--stat", help="How the values of a well are combined")] = Statistic.MEAN,
    channel: Annotated[
        str | None,
        Option(
            metavar="CHANNEL",
            help="Channel, by number or name, of a column without one [default: the only channel that has it]",
        ),
    ] = None,
    objects: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="Only the table of these objects, such as nuclei [default: the only one with this column]",
        ),
    ] = None,
    label: Annotated[
        str | None,
        Option(
            metavar="COLUMN",
            help="Write this column of the plate map into the wells, up to 96 of them [default: only values]",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Draw a plate with its wells coloured by a measurement, as a PNG.

    Wells without a value are pale. Without MEASUREMENT, list what can be drawn.

    \b
      openhcs-runtime heatmap demo
      openhcs-runtime heatmap demo nuclei_count --stat sum
      openhcs-runtime heatmap demo area_um2 --stat median --output area.png
      openhcs-runtime heatmap demo intensity_mean_DAPI --objects nuclei --label compound

    A column of the table of images has one value per image, one of a table of objects has one per object, and one of
    numbers of the plate map, such as dose, one per well. openhcs-runtime table RUN lists tables and columns.
    """
    with uninterrupted():
        from openhcs_runtime.cli.failures import unwritten
        from openhcs_runtime.exceptions import OutputError
        from openhcs_runtime.outputs.runs import check_target
        from openhcs_runtime.tables.heatmap_image import write_heatmap
        from openhcs_runtime.tables.read import open_results
        from openhcs_runtime.tables.well_values import map_labels, well_values
        from zmqruntime.execution.cli.failures import CommandError, ErrorKind
        from zmqruntime.execution.cli.output import Output
        from zmqruntime.execution.text import plural
    output = Output(as_json)
    run = find_results(results, output).folder
    if measurement is None:
        return _list(run, output)
    try:
        opened = open_results(run)
        found = well_values(opened, measurement, stat, channel, objects)
        labels = None if label is None else map_labels(opened, label)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    path = to or Path(_file_name(run.name, found.measurement, objects, stat))
    title = f"{found.measurement}, {stat} by well"
    try:
        check_target(path, opened.found.run)
        write_heatmap(path, found.values, title, labels)
    except ValueError as error:
        raise BadParameter(f"--label {label}: {error}") from error
    except OutputError as error:
        raise unwritten(error) from error
    output.line(f"{found.measurement} of {plural(len(found.values), 'well')} in {path}")
    return output.document(
        {
            "results": str(run),
            "file": str(path.resolve()),
            "measurement": found.measurement,
            "statistic": stat.value,
            "channel": channel,
            "objects": objects,
            "table": found.table,
            "wells": dict(found.values),
        }
    )


def _list(run: Path, output: "Output") -> int:
    """List what can be drawn of a run, by its table."""
    from openhcs_runtime.exceptions import OutputError
    from openhcs_runtime.tables.read import open_results
    from openhcs_runtime.tables.well_values import known_measurements
    from zmqruntime.execution.cli.failures import CommandError, ErrorKind

    try:
        known = known_measurements(open_results(run))
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    if not known:
        raise CommandError(ErrorKind.NOT_FOUND, f"{run} has no measurements: add a step that measures something")
    for table, columns in known.items():
        output.line(f"Measurements of {table}:")
        for column in columns:
            output.line(f"  {column}")
    first = next(iter(known.values()))[0]
    output.line(f"'openhcs-runtime heatmap {shlex.quote(str(run))} {first}' draws the first one.")
    return output.document({"results": str(run), "measurements": {table: list(known[table]) for table in known}})


def _file_name(run: str, measurement: str, objects: str | None, stat: Statistic) -> str:
    what = measurement if objects is None else f"{measurement}_{objects}"
    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in what)
    return f"{run}_{name}_{stat}.png"
