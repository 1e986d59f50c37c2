"""``export-roi``: the regions or labels of a run as files for ImageJ."""

from collections.abc import Sequence
from pathlib import Path

from openhcs_runtime.cli.commands.runs import find_results
from openhcs_runtime.cli.failures import CommandError, ErrorKind, ExitCode, unwritten
from openhcs_runtime.cli.output import Output
from openhcs_runtime.exceptions import OutputError, RoiError
from openhcs_runtime.outputs.roi_export import export_to_file, export_to_folder, roi_sources
from zmqruntime.execution.text import plural

__all__ = ["export_roi"]


def export_roi(results: Path, wells: Sequence[str], to: Path | None, *, as_json: bool) -> int:
    """Make ImageJ sets and say where they are."""
    output = Output(as_json)
    run = find_results(results, output).folder
    target = to or Path(f"{run.name}_imagej")
    try:
        sources = roi_sources(run, wells or None)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    try:
        if target.suffix.lower() == ".zip":
            written, count = [target], export_to_file(sources, target)
        else:
            made = list(export_to_folder(sources, target))
            written, count = [path for path, _ in made], sum(number for _, number in made)
    except OutputError as error:
        raise unwritten(error) from error
    except RoiError as error:
        raise CommandError(ErrorKind.OUTPUT, str(error), ExitCode.FAILED) from error
    output.line(f"{plural(count, 'region')} of {plural(len(sources), 'image')} in {target}")
    output.line("ImageJ opens a .zip with More >> Open... of its ROI Manager, or dropped on its window")
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
