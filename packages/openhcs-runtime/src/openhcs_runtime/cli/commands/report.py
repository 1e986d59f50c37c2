"""``report``: what a run has found, as one HTML file that can be mailed."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.commands.results import find_results
from openhcs_runtime.cli.declare import Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json, ResultsPath, WithExcluded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openhcs_runtime.report.write import Report
    from zmqruntime.execution.cli.output import Output

__all__ = ["report"]


def report(
    results: ResultsPath,
    to: Annotated[
        Path | None,
        Option("--output", metavar="FILE.html", help="The report [default: RUN_report.html in the current folder]"),
    ] = None,
    open_it: Annotated[bool, Option("--open", help="Open it in the browser")] = False,
    measure: Annotated[
        list[str] | None,
        Option(
            "--measure",
            metavar="NAME",
            help="A column of the table of wells to show; can be given several times, and the first one chooses the "
            "example images [default: up to 8, counts first]",
        ),
    ] = None,
    negative: Annotated[
        str | None,
        Option(
            metavar="EXPR",
            help="Wells with the negative control, such as \"control == 'DMSO'\" [default: by the usual names]",
        ),
    ] = None,
    positive: Annotated[
        str | None, Option(metavar="EXPR", help="Wells with the positive control [default: by the usual names]")
    ] = None,
    with_excluded: WithExcluded = False,
    as_json: Json = False,
) -> int:
    """Write a report of a run: one HTML file that needs nothing else.

    It has heat maps, control statistics, dose-response curves, the quality of the images, the wells that failed with
    the reason, example images with outlines of the objects, and how the run was made. What it can't show, it says.

    \b
      openhcs-runtime report demo --open
      openhcs-runtime report demo --measure nuclei_count --output report.html
      openhcs-runtime report demo --negative "control == 'DMSO'" --positive "control == 'staurosporine'"
    """
    with uninterrupted():
        from openhcs_runtime.cli.failures import unwritten
        from openhcs_runtime.exceptions import OutputError, PlateMapError
        from openhcs_runtime.report.write import SUFFIXES, make_report, not_html
        from openhcs_runtime.tables.read import open_results
        from zmqruntime.execution.cli.failures import CommandError, ErrorKind
        from zmqruntime.execution.cli.output import Output
    output = Output(as_json)
    if to is not None and to.suffix.lower() not in SUFFIXES:
        raise CommandError(ErrorKind.USAGE, not_html(to))
    run = find_results(results, output).folder
    try:
        with _progress(output) as tell:
            made = make_report(
                open_results(run),
                tuple(measure or ()),
                negative or "",
                positive or "",
                tell,
                with_excluded=with_excluded,
            )
    except (OutputError, PlateMapError) as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    try:
        written = made.write(to or Path(f"{run.name}_report.html"))
    except OutputError as error:
        raise unwritten(error) from error
    _tell(written, output, open_it=open_it)
    return output.document(
        {
            "results": str(run),
            "file": str(written.path.resolve()),
            "bytes": written.size,
            "measures": list(written.measures),
            "sections": list(written.sections),
            "left_out": list(written.left_out),
            "flagged_images": written.flagged,
        }
    )


def _tell(written: "Report", output: "Output", *, open_it: bool) -> None:
    megabytes = written.size / 1e6
    output.line(f"Report of {written.results.name} in {written.path} ({megabytes:.1f} MB)")
    for sentence in written.left_out:
        output.line(f"  {sentence}")
    if open_it and not _open(written.path):
        output.note(f"Warning: no browser was found; open {written.path} yourself")


def _open(path: Path) -> bool:
    import webbrowser

    return webbrowser.open(path.resolve().as_uri())


@contextlib.contextmanager
def _progress(output: "Output") -> "Iterator[Callable[[str], None]]":
    """On a terminal, show what is done at the moment."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, quiet=output.as_json)
    if not console.is_terminal:
        yield lambda what: None
        return
    with console.status("Report") as status:
        yield lambda what: status.update(f"Report: {escape(what)}")
