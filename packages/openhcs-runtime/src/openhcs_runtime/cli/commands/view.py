"""``view``: the results of a run, or the images of a plate, in a viewer."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.declare import Argument, BadParameter, Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import (
    ImagePattern,
    Json,
    Pages,
    PlateFormatName,
    ViewComponents,
    Wells,
    read_components,
    read_wells,
)
from openhcs_runtime.exceptions import ViewerError
from openhcs_runtime.viewer_target import ViewCounts, ViewTarget
from openhcs_runtime.viewers.picture_kind import PictureKind

if TYPE_CHECKING:
    from rich.progress import Progress

    from openhcs_runtime.viewers.results import Pictures
    from zmqruntime.execution.cli.output import Output

__all__ = ["show_viewer", "view"]

_LOG_LINES = 12


def view(
    results: Annotated[
        list[Path],
        Argument(
            metavar="RESULTS...",
            help="Folder of a run, or a plate: its newest complete run, or only its images if it has not been run",
        ),
    ],
    viewer: Annotated[
        str,
        Option("--view", metavar="VIEWER", help="napari, fiji, napari:PORT, or a viewer elsewhere at HOST:PORT"),
    ] = "napari",
    view_components: ViewComponents = None,
    only: Annotated[
        list[PictureKind] | None,
        Option(
            "--only",
            metavar="KIND",
            help="Only plate, images (of steps), labels or regions; may be given several times [default: all of them]",
        ),
    ] = None,
    wells: Wells = None,
    compare: Annotated[
        bool, Option("--compare", help="Show several plates or runs in one stack, with a slider between them")
    ] = False,
    pattern: ImagePattern = None,
    plate_format: PlateFormatName = None,
    pages: Pages = None,
    as_json: Json = False,
) -> int:
    """Show the results of a run, or the images of a plate, in a viewer.

    These are the images of the plate, with the outlines of labels and regions over them, and images of steps. A well
    that has failed is shown without results. The viewer is started if it is not running, comes to the front, goes to
    the first well, and stays open.

    \b
      openhcs-runtime view demo
      openhcs-runtime view demo --view fiji --wells B06 --only labels
      openhcs-runtime view plate1 plate2 --compare

    Plates and runs are kept apart: in napari the list Plate chooses between them, in Fiji each has windows of its own.
    With --compare they are in one stack, and the slider 'compared' goes from one to the next at the same well.

    --pattern, --format and --pages are for plates that have not been run.
    """
    try:
        target = ViewTarget.parse(viewer)
    except ViewerError as error:
        raise BadParameter(str(error)) from error
    if compare and len(results) < 2:
        raise BadParameter("--compare needs two or more: name them, as in 'view plate1 plate2 --compare'")
    with uninterrupted():
        from openhcs_runtime.cli.failures import PlateErrorKind
        from openhcs_runtime.cli.pictures import PlateReading, find_sources
        from openhcs_runtime.viewers.comparing import compared
        from zmqruntime.execution.cli.failures import CommandError, ExitCode
        from zmqruntime.execution.cli.output import Output
        from zmqruntime.execution.text import plural
    output = Output(as_json)
    reading = PlateReading(pattern, plate_format, pages)
    sources = find_sources(results, only or tuple(PictureKind), read_wells(wells), reading, output)
    _open(target, read_components(view_components), output)
    found = [source.pictures for source in sources]
    counts, problems = _show(compared(found) if compare else found, target, output)
    for problem in problems:
        output.line(f"Note: {problem}")
    total = sum(len(one.pictures) for one in found)
    output.line(f"{plural(counts.displayed, 'picture')} of {total:,} in {target}, which stays open")
    document = {
        "results": str(sources[0].folder),
        "sources": [str(source.folder) for source in sources],
        "viewer": str(target),
        "pictures": total,
        "displayed": counts.displayed,
        "failed": counts.failed,
        "problems": problems,
    }
    message = f"{target} has shown nothing of {', '.join(str(source.folder) for source in sources)}"
    nothing = CommandError(PlateErrorKind.VIEWER, message, ExitCode.FAILED)
    return output.document(document, None if counts.displayed else nothing)


def _open(target: ViewTarget, components: Mapping[str, str], output: "Output") -> None:
    """Open the viewer.

    Raises:
        CommandError: it can't be opened; what to do is in its message, and the end of its log below.
    """
    from openhcs_runtime.cli.failures import PlateErrorKind
    from openhcs_runtime.viewers.start import check_viewer, is_open, open_viewer
    from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode

    try:
        check_viewer(target, components)
    except ViewerError as error:
        raise CommandError(ErrorKind.USAGE, str(error)) from error
    if is_open(target):
        return
    output.line(f"Starting {target}")
    try:
        open_viewer(target, components).close()
    except ViewerError as error:
        lines = error.log.splitlines()[-_LOG_LINES:]
        log = lines if len(lines) > 1 else ()  # a single one is in the message
        raise CommandError(PlateErrorKind.VIEWER, str(error), ExitCode.FAILED, log) from error


def show_viewer(viewer: str, components: Mapping[str, str], output: "Output") -> bool:
    """Open a viewer; one that does not start is a warning with the end of its log, and False.

    Raises:
        CommandError: the viewer does not know such components.
    """
    from openhcs_runtime.viewers.start import check_viewer, open_viewer
    from zmqruntime.execution.cli.failures import CommandError, ErrorKind

    target = ViewTarget.parse(viewer)
    try:
        check_viewer(target, components)
    except ViewerError as error:
        raise CommandError(ErrorKind.USAGE, str(error)) from error
    if target.kind is None:
        return True  # it is running already, or comes and goes as it likes
    output.line(f"Starting {target}")
    try:
        open_viewer(target, components).close()
    except ViewerError as error:
        _warn(error)
        return False
    return True


def _warn(error: ViewerError) -> None:
    sys.stdout.flush()
    print(f"Warning: {error}; continuing without it", file=sys.stderr, flush=True)
    lines = error.log.splitlines()[-_LOG_LINES:]
    for line in lines if len(lines) > 1 else ():  # a single one is in the warning
        print(f"  {line}", file=sys.stderr, flush=True)


def _show(sources: "Sequence[Pictures]", target: ViewTarget, output: "Output") -> tuple[ViewCounts, list[str]]:
    """Send all pictures and return how many were shown, and why some were not."""
    from openhcs_runtime.cli.failures import PlateErrorKind
    from openhcs_runtime.viewers.showing import show_pictures
    from zmqruntime.execution.cli.failures import CommandError, ExitCode

    counts, problems = ViewCounts(), list[str]()
    with _bar(output) as bar:
        task = bar.add_task("Showing", total=sum(len(source.pictures) for source in sources))
        for source in sources:
            try:
                shown = show_pictures(source, target, on_sent=lambda: bar.advance(task))
            except ViewerError as error:
                raise CommandError(PlateErrorKind.VIEWER, str(error), ExitCode.FAILED) from error
            counts += shown.counts
            problems += shown.problems
    return counts, problems


def _bar(output: "Output") -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(highlight=False, quiet=output.as_json)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
