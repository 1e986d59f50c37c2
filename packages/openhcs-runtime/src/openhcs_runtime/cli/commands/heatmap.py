"""``heatmap``: a plate as a picture, its wells coloured by a measurement."""

from pathlib import Path
from typing import Annotated

import typer

from openhcs_runtime.cli.commands.results import find_results
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json, ResultsPath, whole_number
from openhcs_runtime.outputs.statistic import Statistic

__all__ = ["heatmap"]


def heatmap(
    results: ResultsPath,
    measurement: Annotated[
        str, typer.Argument(metavar="MEASUREMENT", help="A column of its measurements.csv or objects.csv")
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE.png", help="Picture [default: RUN_MEASUREMENT_STAT.png in the current folder]"
        ),
    ] = None,
    stat: Annotated[Statistic, typer.Option("--stat", help="How the values of a well are combined")] = Statistic.MEAN,
    channel: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(0),
            metavar="N",
            help="Only what was measured in this channel [default: the only channel with values]",
        ),
    ] = None,
    objects: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only this set of objects, as named in objects.csv [default: the only set]",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Draw a plate with its wells coloured by a measurement, as a PNG.

    Wells without a value are pale.

    \b
      openhcs-runtime heatmap demo nuclei_count --stat sum
      openhcs-runtime heatmap demo area_um2 --stat median --output area.png

    Columns of measurements.csv have one value per image, those of objects.csv one per object.
    """
    with uninterrupted():
        from openhcs_runtime.cli.failures import unwritten
        from openhcs_runtime.exceptions import OutputError
        from openhcs_runtime.outputs.heatmap import well_values
        from openhcs_runtime.outputs.heatmap_image import write_heatmap
        from zmqruntime.execution.cli.failures import CommandError, ErrorKind
        from zmqruntime.execution.cli.output import Output
        from zmqruntime.execution.text import plural
    output = Output(as_json)
    run = find_results(results, output).folder
    try:
        found = well_values(run, measurement, stat, channel, objects)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    path = to or Path(_file_name(run.name, measurement, objects, channel, stat))
    title = f"{measurement}, {stat} by well" + ("" if channel is None else f", channel {channel}")
    try:
        write_heatmap(path, found.values, title)
    except OutputError as error:
        raise unwritten(error) from error
    output.line(f"{measurement} of {plural(len(found.values), 'well')} in {path}")
    return output.document(
        {
            "results": str(run),
            "file": str(path.resolve()),
            "measurement": measurement,
            "statistic": stat.value,
            "channel": channel,
            "objects": objects,
            "table": found.table,
            "wells": dict(found.values),
        }
    )


def _file_name(run: str, measurement: str, objects: str | None, channel: int | None, stat: Statistic) -> str:
    what = measurement if objects is None else f"{measurement}_{objects}"
    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in what)
    return f"{run}_{name}{'' if channel is None else f'_w{channel}'}_{stat}.png"
