"""What can be typed about the results of a run: the commands that need no server."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from openhcs_runtime.cli import commands
from openhcs_runtime.cli.options import Json, ViewComponents, read_components, whole_number
from openhcs_runtime.exceptions import ViewerError
from openhcs_runtime.viewer_target import ViewTarget

__all__ = ["register"]

Results = Annotated[
    Path,
    typer.Argument(
        metavar="RESULTS", help="The folder of a run; or PLATE_results or the plate, for the newest complete run."
    ),
]


class DrawnStatistic(enum.StrEnum):
    """What heatmap can show; the names are those of Statistic, whose module loads more than a command line needs."""

    MEAN = "mean"
    MEDIAN = "median"
    SUM = "sum"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export-roi")(export_roi)
    app.command("heatmap")(heatmap)
    app.command("view")(view)
    app.command("results")(list_results)


def list_results(
    plate: Annotated[Path, typer.Argument(metavar="PLATE", help="A plate, or a folder that holds runs.")],
    as_json: Json = False,
) -> int:
    """List the runs of a plate: when, which pipeline, how many wells are done and failed.

    \b
      openhcs-runtime results demo
      openhcs-runtime results demo_results --json
    """
    return commands.list_results(plate, as_json=as_json)


class ViewedKind(enum.StrEnum):
    """What view can show; the names are those of PictureKind, whose module loads image libraries."""

    PLATE = "plate"
    IMAGES = "images"
    LABELS = "labels"
    REGIONS = "regions"


def view(
    results: Results,
    viewer: Annotated[
        str,
        typer.Option("--view", metavar="VIEWER", help="napari, fiji, napari:PORT, or HOST:PORT of a viewer elsewhere."),
    ] = "napari",
    view_components: ViewComponents = None,
    only: Annotated[
        list[ViewedKind] | None,
        typer.Option(
            "--only",
            metavar="KIND",
            help="Only these: plate, images (of steps), labels or regions; may be given several times.",
        ),
    ] = None,
    wells: Annotated[str | None, typer.Option(metavar="W,W", help="Only these wells, e.g. A01,B06.")] = None,
    as_json: Json = False,
) -> int:
    """Show the results of a run in a viewer.

    These are the plate's images, labels and regions over them, and images of steps. The viewer is started when it is
    not there, and stays open.

    \b
      openhcs-runtime view demo
      openhcs-runtime view demo --view fiji --wells B06 --only labels
    """
    try:
        target = str(ViewTarget.parse(viewer))
    except ViewerError as error:
        raise typer.BadParameter(str(error)) from error
    names = [name.strip() for name in wells.split(",") if name.strip()] if wells else []
    kinds = [kind.value for kind in only or ()]
    return commands.view_results(results, target, read_components(view_components), kinds, names, as_json=as_json)


def export_roi(
    results: Results,
    wells: Annotated[str | None, typer.Option(metavar="W,W", help="Only these wells, e.g. A01,B06.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE.zip|DIR", help="One file, or a folder [default: RUN_imagej in the current one]."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Write the regions of a run for ImageJ, or else the outlines of its labels.

    One .zip for each image, or one for all.

    \b
      openhcs-runtime export-roi demo
      openhcs-runtime export-roi demo --wells A01,B06 --output nuclei.zip
    """
    names = [name.strip() for name in wells.split(",") if name.strip()] if wells else []
    return commands.export_roi(results, names, output, as_json=as_json)


def heatmap(
    results: Results,
    measurement: Annotated[
        str, typer.Argument(metavar="MEASUREMENT", help="A column of its measurements.csv or objects.csv.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Picture [default: RUN_MEASUREMENT_STAT.png in the current folder]."),
    ] = None,
    stat: Annotated[
        DrawnStatistic, typer.Option("--stat", help="How several values of a well become one.")
    ] = DrawnStatistic.MEAN,
    channel: Annotated[
        int | None,
        typer.Option(parser=whole_number(0), metavar="N", help="Only what was measured in this channel."),
    ] = None,
    objects: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only these objects, as the column objects of objects.csv calls them."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Draw the plate with its wells coloured by a measurement, as a PNG.

    Wells without a value are pale.

    \b
      openhcs-runtime heatmap demo nuclei_count --stat sum
      openhcs-runtime heatmap demo area_um2 --stat median --output area.png

    Columns of measurements.csv have one value for each image, those of objects.csv one for each object.
    """
    return commands.draw_plate(results, measurement, output, stat.value, channel, objects, as_json=as_json)
