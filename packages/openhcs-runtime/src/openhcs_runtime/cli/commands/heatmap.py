"""``heatmap``: a plate as a picture, its wells coloured by a measurement."""

from pathlib import Path

from openhcs_runtime.cli.commands.runs import find_results
from openhcs_runtime.cli.failures import CommandError, ErrorKind, unwritten
from openhcs_runtime.cli.output import Output
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.heatmap import Statistic, well_values
from openhcs_runtime.outputs.heatmap_image import write_heatmap
from zmqruntime.execution.text import plural

__all__ = ["draw_plate"]


def draw_plate(
    results: Path,
    measurement: str,
    out: Path | None,
    statistic: str,
    channel: int | None,
    objects: str | None = None,
    *,
    as_json: bool,
) -> int:
    """Draw a measurement over the plate and say where the picture is."""
    output = Output(as_json)
    run = find_results(results, output).folder
    try:
        found = well_values(run, measurement, Statistic(statistic), channel, objects)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    in_channel = "" if channel is None else f"_w{channel}"
    of_objects = "" if objects is None else f"_{objects}"
    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in measurement + of_objects)
    path = out or Path(f"{run.name}_{name}{in_channel}_{statistic}.png")
    title = f"{measurement}, {statistic} by well" + ("" if channel is None else f", channel {channel}")
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
            "statistic": statistic,
            "channel": channel,
            "objects": objects,
            "table": found.table,
            "wells": dict(found.values),
        }
    )
