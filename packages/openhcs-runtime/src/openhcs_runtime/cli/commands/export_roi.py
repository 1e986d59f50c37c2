"""``export-roi``: the regions or labels of a run as files for ImageJ."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.commands.results import find_results
from openhcs_runtime.cli.declare import Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json, ResultsPath, Wells, read_wells
from openhcs_runtime.exceptions import OutputError, RoiError

if TYPE_CHECKING:
    from openhcs_runtime.outputs.roi_export import RoiSource

__all__ = ["export_roi"]


def export_roi(
    results: ResultsPath,
    wells: Wells = None,
    to: Annotated[
        Path | None,
        Option(
            "--output",
            metavar="FILE.zip|DIR",
            help="One file for all images, or a folder [default: RUN_imagej in the current folder]",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Export the regions of a run to ImageJ, or else the outlines of its labels.

    One .zip for each image, or one for all.

    \b
      openhcs-runtime export-roi demo
      openhcs-runtime export-roi demo --wells A01,B06 --output nuclei.zip
    """
    with uninterrupted():
        from openhcs_runtime.outputs.roi_export import roi_sources
        from zmqruntime.execution.cli.failures import CommandError, ErrorKind
        from zmqruntime.execution.cli.output import Output
        from zmqruntime.execution.text import plural
    output = Output(as_json)
    run = find_results(results, output).folder
    target = to or Path(f"{run.name}_imagej")
    try:
        sources = roi_sources(run, read_wells(wells) or None)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    written, count = _write(sources, target)
    output.line(f"{plural(count, 'region')} of {plural(len(sources), 'image')} in {target}")
    output.line("To open a .zip in ImageJ, choose More >> Open... in the ROI Manager, or drop it on the window")
    return output.document(
        {
            "results": str(run),
            "to": str(target.resolve()),
            "images": len(sources),
            "rois": count,
            "wells": list(dict.fromkeys(source.well for source in sources)),
            "files": [str(path.resolve()) for path in written],
        }
    )


def _write(sources: "Sequence[RoiSource]", target: Path) -> tuple[list[Path], int]:
    """The files, and how many regions are in them."""
    from openhcs_runtime.cli.failures import PlateErrorKind, unwritten
    from openhcs_runtime.outputs.roi_export import export_to_file, export_to_folder
    from zmqruntime.execution.cli.failures import CommandError, ExitCode

    try:
        if target.suffix.lower() == ".zip":
            return [target], export_to_file(sources, target)
        made = list(export_to_folder(sources, target))
        return [path for path, _ in made], sum(number for _, number in made)
    except OutputError as error:
        raise unwritten(error) from error
    except RoiError as error:
        raise CommandError(PlateErrorKind.OUTPUT, str(error), ExitCode.FAILED) from error
