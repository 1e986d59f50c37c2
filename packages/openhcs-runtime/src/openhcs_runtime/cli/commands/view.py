"""``view``: the results of a run in a viewer."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from openhcs_runtime.cli.commands.results import find_results
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json, ResultsPath, ViewComponents, Wells, read_components, read_wells
from openhcs_runtime.exceptions import OpenHCSError, OutputError, ViewerError
from openhcs_runtime.viewer_target import ViewCounts, ViewTarget
from openhcs_runtime.viewers.picture_kind import PictureKind

if TYPE_CHECKING:
    from rich.progress import Progress

    from openhcs_runtime.viewers.results import Pictures
    from zmqruntime.execution.cli.output import Output

__all__ = ["show_viewer", "view"]

_CONNECT_SECONDS = 15.0
_SHOW_SECONDS = 60.0
_LOG_LINES = 12


def view(
    results: ResultsPath,
    viewer: Annotated[
        str,
        typer.Option("--view", metavar="VIEWER", help="napari, fiji, napari:PORT, or a viewer elsewhere at HOST:PORT"),
    ] = "napari",
    view_components: ViewComponents = None,
    only: Annotated[
        list[PictureKind] | None,
        typer.Option(
            "--only",
            metavar="KIND",
            help="Only plate, images (of steps), labels or regions; may be given several times [default: all of them]",
        ),
    ] = None,
    wells: Wells = None,
    as_json: Json = False,
) -> int:
    """Show the results of a run in a viewer.

    These are the images of the plate, with labels and regions over them, and images of steps. The viewer is started
    if it is not running, and stays open.

    \b
      openhcs-runtime view demo
      openhcs-runtime view demo --view fiji --wells B06 --only labels
    """
    try:
        target = ViewTarget.parse(viewer)
    except ViewerError as error:
        raise typer.BadParameter(str(error)) from error
    with uninterrupted():
        from openhcs_runtime.cli.failures import PlateErrorKind
        from openhcs_runtime.viewers.results import find_pictures
        from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode
        from zmqruntime.execution.cli.output import Output
        from zmqruntime.execution.text import plural
    output = Output(as_json)
    run = find_results(results, output).folder
    try:
        found = find_pictures(run, only or tuple(PictureKind), read_wells(wells))
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    if not show_viewer(str(target), read_components(view_components), output):
        raise CommandError(PlateErrorKind.VIEWER, f"nothing can be shown without {target}", ExitCode.FAILED)
    counts, problems = _show(found, target, output)
    for problem in problems:
        output.line(f"Note: {problem}")
    output.line(f"{plural(counts.displayed, 'picture')} of {len(found.pictures)} in {target}, which stays open")
    document = {
        "results": str(run),
        "viewer": str(target),
        "pictures": len(found.pictures),
        "displayed": counts.displayed,
        "failed": counts.failed,
        "problems": problems,
    }
    nothing = CommandError(PlateErrorKind.VIEWER, f"{target} has shown nothing of {run}", ExitCode.FAILED)
    return output.document(document, None if counts.displayed else nothing)


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


def _show(found: "Pictures", target: ViewTarget, output: "Output") -> tuple[ViewCounts, list[str]]:
    """Send all pictures, each when the viewer has room for it; a bad file is a problem, not the end."""
    from openhcs_runtime.cli.failures import PlateErrorKind
    from openhcs_runtime.tasks import OPENHCS_CONFIG
    from zmqruntime import ZMQRuntimeError
    from zmqruntime.execution.cli.failures import CommandError, ExitCode
    from zmqruntime.streaming import ImageStream, Policy, StreamTimeoutError

    problems = list(found.problems)
    try:
        with (
            ImageStream(target.port, host=target.host, config=OPENHCS_CONFIG, policy=Policy.BLOCK) as stream,
            _bar(output) as bar,
        ):
            if not stream.wait_connected(_CONNECT_SECONDS):
                message = f"no viewer answers at {target}; start one there, or check host and port"
                raise CommandError(PlateErrorKind.VIEWER, message, ExitCode.FAILED)
            for picture in bar.track(found.pictures, description="Showing"):
                try:
                    picture.send(stream, found.named, found.channel_names)
                except OpenHCSError as error:
                    problems.append(str(error))
            stream.settle(_SHOW_SECONDS)
            counts = ViewCounts.of(stream.counts)
    except StreamTimeoutError as error:
        raise CommandError(PlateErrorKind.VIEWER, f"{target} has stopped showing: {error}", ExitCode.FAILED) from error
    except ZMQRuntimeError as error:
        raise CommandError(PlateErrorKind.VIEWER, str(error), ExitCode.FAILED) from error
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
