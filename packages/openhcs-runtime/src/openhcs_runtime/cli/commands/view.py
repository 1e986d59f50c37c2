"""``view``: the results of a run in a viewer."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from openhcs_runtime.cli.commands.runs import find_results
from openhcs_runtime.cli.failures import CommandError, ErrorKind, ExitCode
from openhcs_runtime.cli.output import Output
from openhcs_runtime.cli.viewer import show_viewer
from openhcs_runtime.exceptions import OpenHCSError, OutputError
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.viewer_target import ViewCounts, ViewTarget
from openhcs_runtime.viewers.results import PictureKind, Pictures, find_pictures
from zmqruntime import ZMQRuntimeError
from zmqruntime.execution.text import plural
from zmqruntime.streaming import ImageStream, Policy, StreamTimeoutError

__all__ = ["view_results"]

_CONNECT_SECONDS = 15.0
_SHOW_SECONDS = 60.0


def view_results(
    results: Path,
    view: str,
    components: Mapping[str, str],
    kinds: Collection[str],
    wells: Sequence[str],
    *,
    as_json: bool,
) -> int:
    """Show what a run has left."""
    output = Output(as_json)
    run = find_results(results, output).folder
    try:
        found = find_pictures(run, [PictureKind(kind) for kind in kinds] or tuple(PictureKind), wells)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    if not show_viewer(view, components, output):
        raise CommandError(ErrorKind.VIEWER, f"nothing can be shown without {view}", ExitCode.FAILED)
    counts, problems = _show(found, ViewTarget.parse(view), output)
    for problem in problems:
        output.line(f"Note: {problem}")
    output.line(f"{plural(counts.displayed, 'picture')} of {len(found.pictures)} in {view}, which stays open")
    document = {
        "results": str(run),
        "viewer": view,
        "pictures": len(found.pictures),
        "displayed": counts.displayed,
        "failed": counts.failed,
        "problems": problems,
    }
    if counts.displayed:
        return output.document(document)
    return output.document(
        document, CommandError(ErrorKind.VIEWER, f"{view} has shown nothing of {run}", ExitCode.FAILED)
    )


def _show(found: Pictures, target: ViewTarget, output: Output) -> tuple[ViewCounts, list[str]]:
    """Send all pictures, each when the viewer has room for it; a bad file is a problem, not the end."""
    problems = list(found.problems)
    try:
        with (
            ImageStream(target.port, host=target.host, config=OPENHCS_CONFIG, policy=Policy.BLOCK) as stream,
            _bar(output) as bar,
        ):
            if not stream.wait_connected(_CONNECT_SECONDS):
                raise CommandError(
                    ErrorKind.VIEWER,
                    f"no viewer answers at {target}: start one there, or check host and port",
                    ExitCode.FAILED,
                )
            for picture in bar.track(found.pictures, description="Showing"):
                try:
                    picture.send(stream, found.named, found.channel_names)
                except OpenHCSError as error:
                    problems.append(str(error))
            stream.settle(_SHOW_SECONDS)
            counts = stream.counts
    except StreamTimeoutError as error:
        raise CommandError(ErrorKind.VIEWER, f"{target} shows no more: {error}", ExitCode.FAILED) from error
    except ZMQRuntimeError as error:
        raise CommandError(ErrorKind.VIEWER, str(error), ExitCode.FAILED) from error
    return ViewCounts(counts.sent, counts.displayed, counts.failed, counts.skipped), problems


def _bar(output: Output) -> Progress:
    console = Console(highlight=False, quiet=output.as_json)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
