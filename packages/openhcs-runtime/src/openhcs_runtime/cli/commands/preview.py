"""``preview``: a pipeline on one site of a plate, in memory: counts, seconds of each step, and a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from openhcs_runtime.cli.choice_options import Set, settings_of
from openhcs_runtime.cli.declare import Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import (
    Channel,
    Diameter,
    ImagePattern,
    Json,
    Pages,
    PipelineFile,
    PlateFormatName,
    PlatePath,
    checked_well,
    whole_number,
)

if TYPE_CHECKING:
    from openhcs_runtime.preview import PreviewRequest, PreviewResult
    from openhcs_runtime.tasks import PlateTask
    from zmqruntime.execution.cli.failures import CommandError
    from zmqruntime.execution.cli.output import Output

__all__ = ["preview"]

_MOST = 1_000_000


def _numbered(option: str, what: str) -> Any:
    """Return an option that takes a number from 1."""
    return Option(option, parser=whole_number(1, _MOST), metavar="N", help=what)


def preview(
    plate: PlatePath,
    pipeline: PipelineFile = None,
    well: Annotated[
        str | None,
        Option(callback=checked_well, metavar="WELL", help="The well, e.g. B06 [default: the first one]"),
    ] = None,
    site: Annotated[int, _numbered("--site", "The site")] = 1,
    z: Annotated[int, _numbered("--z", "The plane")] = 1,
    time: Annotated[int, _numbered("--time", "The time point")] = 1,
    set_: Set = None,
    channel: Channel = None,
    diameter: Diameter = None,
    png: Annotated[
        Path | None,
        Option(metavar="FILE.png", help="Write the image with the outlines of the objects [default: no picture]"),
    ] = None,
    after: Annotated[
        int | None,
        Option(
            parser=whole_number(0, _MOST),
            metavar="N",
            help="Draw the image after this step, 0 for that of the plate [default: the last step]",
        ),
    ] = None,
    show: Annotated[
        int | None,
        Option(parser=whole_number(0, _MOST), metavar="N", help="Draw this channel, by number [default: the lowest]"),
    ] = None,
    pattern: ImagePattern = None,
    plate_format: PlateFormatName = None,
    pages: Pages = None,
    as_json: Json = False,
) -> int:
    """Try a pipeline on one site of a plate.

    It runs in memory and writes no results; what it prints is what a run of that site would give.

    \b
      openhcs-runtime preview demo
      openhcs-runtime preview demo --well A02 --set segment_nuclei.factor=0.8 --png a02.png

    A step over the plate has the value that the newest run has made with the same steps. Without such a run, the steps
    that need it are left out, and a note says so.
    """
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint
        from openhcs_runtime.cli.plate_tasks import RunOptions, plate_task
        from openhcs_runtime.preview import PreviewClient
        from zmqruntime.execution.cli.output import Output
    options = RunOptions(
        plate=plate,
        endpoint=PlateEndpoint(7777, None),
        pipeline=pipeline,
        channel=channel,
        diameter=diameter,
        pattern=pattern,
        plate_format=plate_format,
        pages=pages,
        settings=settings_of(set_),
    )
    request = _request(plate_task(options), well, site, z, time, after, show)
    client = PreviewClient()
    try:
        result = client.ask(request).result()
    finally:
        client.close()
    return _tell(request, result, png, Output(as_json))


def _request(
    task: "PlateTask", well: str | None, site: int, z: int, time: int, after: int | None, show: int | None
) -> "PreviewRequest":
    from openhcs_runtime.cli.failures import PlateErrorKind
    from openhcs_runtime.exceptions import PlateError
    from openhcs_runtime.plates import open_plate
    from openhcs_runtime.preview import PreviewRequest
    from zmqruntime.execution.cli.failures import CommandError

    if well is None:
        try:
            opened = open_plate(task.plate_path, pattern=task.pattern, format=task.plate_format, pages=task.pages)
        except PlateError as error:
            raise CommandError(PlateErrorKind.PLATE, str(error)) from error
        well = next(iter(opened.wells), "A01")
    return PreviewRequest(
        plate_path=task.plate_path,
        pattern=task.pattern,
        plate_format=task.plate_format,
        pages=task.pages,
        pipeline=task.source,
        pipeline_name=task.source_name,
        pipeline_folder=task.source_dir,
        settings=task.settings,
        well=well,
        site=site,
        z_index=z,
        timepoint=time,
        image_after=after,
        channel=show,
    )


def _tell(request: "PreviewRequest", result: "PreviewResult", png: Path | None, output: "Output") -> int:
    from zmqruntime.execution.text import duration

    counts = ", ".join(f"{name} {count}" for name, count in result.counts.items())
    if result.problem is None:
        output.line(f"{request.well}, site {request.site}: {counts or 'no objects'}")
    for step in result.steps:
        taken = (
            "left out" if step.is_left_out else duration(step.seconds) if step.seconds is not None else "not reached"
        )
        output.line(f"  {step.number}. {step.name}  {taken}")
    for note in result.notes:
        output.line(f"Note: {note}")
    error = _error(result) or (_drawn(png, result, output) if png is not None else None)
    document = {
        "well": request.well,
        "site": request.site,
        "counts": dict(result.counts),
        "measurements": {name: dict(values) for name, values in result.measurements.items()},
        "steps": result.steps,
        "notes": result.notes,
        "file": str(png.resolve()) if png is not None and error is None else None,
    }
    return output.document(document, error)


def _error(result: "PreviewResult") -> "CommandError | None":
    from openhcs_runtime.cli.failures import PlateErrorKind
    from zmqruntime.execution.cli.failures import CommandError, ExitCode

    problem = result.problem
    if problem is None:
        return None
    details = problem.details.splitlines()
    return CommandError(PlateErrorKind.PIPELINE, problem.text, ExitCode.FAILED, details)


def _drawn(png: Path, result: "PreviewResult", output: "Output") -> "CommandError | None":
    from openhcs_runtime.cli.failures import PlateErrorKind, unwritten
    from openhcs_runtime.exceptions import OutputError
    from openhcs_runtime.preview.picture import write_picture
    from zmqruntime.execution.cli.failures import CommandError

    try:
        write_picture(png, result)
    except OutputError as error:
        return unwritten(error)
    except ValueError as error:
        return CommandError(PlateErrorKind.OUTPUT, f"--png {png}: {error}: choose another step with --after")
    output.line(f"Wrote {png}: {result.image_title}")
    return None
