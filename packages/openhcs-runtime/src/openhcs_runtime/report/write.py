"""Writes the report of a run: ``write_report("demo", "report.html")``."""

import importlib.metadata
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.exclusions import read_exclusions
from openhcs_runtime.profiles import ControlKind
from openhcs_runtime.report.examples import choose_wells, examples_section
from openhcs_runtime.report.failures import failures_section
from openhcs_runtime.report.heat_maps import heat_maps_section
from openhcs_runtime.report.made import made_section
from openhcs_runtime.report.measures import ChosenMeasures, choose_measures
from openhcs_runtime.report.page import page
from openhcs_runtime.report.pictures import read_pictures
from openhcs_runtime.report.plate_svg import PlateDrawing
from openhcs_runtime.report.quality import quality_section, read_quality
from openhcs_runtime.report.run import ReportedRun, read_run
from openhcs_runtime.report.section import Section
from openhcs_runtime.report.statistics import read_statistics
from openhcs_runtime.report.statistics_sections import controls_section, doses_section, replicates_section
from openhcs_runtime.report.summary import head, plate_name
from openhcs_runtime.tables.read import Results, open_results

OnProgress = Callable[[str], None]
"""Called with what is done next, in words. An exception that it raises ends the work."""

SUFFIXES = (".html", ".htm")
"""What the name of a report may end in."""


def not_html(path: Path) -> str:
    """Return why a report can't have this name."""
    return f"{path} can't be a report, which is HTML: end its name in .html, and print it to PDF from a browser"


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written.

    Attributes:
        path: the file.
        results: folder of the run.
        size: of the file, in bytes.
        measures: columns that have a heat map, the main one first.
        sections: titles of the sections.
        left_out: what it does not show, and why, in sentences.
        flagged: number of images flagged by quality control; None if it is not known.
    """

    path: Path
    results: Path
    size: int
    measures: tuple[str, ...]
    sections: tuple[str, ...]
    left_out: tuple[str, ...]
    flagged: int | None


@dataclass(frozen=True, slots=True)
class MadeReport:
    """A report that is not written yet.

    Attributes:
        run: the run.
        chosen: the measures that it shows.
        sections: its sections.
        flagged: number of images flagged by quality control; None if it is not known.
    """

    run: ReportedRun
    chosen: ChosenMeasures
    sections: tuple[Section, ...]
    flagged: int | None

    def write(self, path: Path) -> Report:
        """Write the report.

        Raises:
            OutputError: the file does not end in ``.html`` or ``.htm``, or can't be written.
        """
        if path.suffix.lower() not in SUFFIXES:
            raise OutputError(not_html(path))
        above = head(self.run, self.chosen, self.sections, self.flagged)
        data = page(f"Report of {plate_name(self.run)}", above, self.sections, _foot(self.run)).encode()
        with atomic_file(path) as file:
            file.write(data)
        return Report(
            path=path,
            results=self.run.results.folder,
            size=len(data),
            measures=tuple(measure.column for measure in self.chosen.shown),
            sections=tuple(section.title for section in self.sections),
            left_out=tuple(sentence for section in self.sections for sentence in section.left_out),
            flagged=self.flagged,
        )


def write_report(
    results: Results | str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    measures: Sequence[str] = (),
    negative: str = "",
    positive: str = "",
    with_excluded: bool = False,
    on_progress: OnProgress = lambda what: None,
) -> Report:
    """Write the report of a run as one HTML file, which loads nothing from the net.

    Wells that a person has excluded are left out of its numbers, and named.

    Args:
        results: the results, or the path of a plate, of a folder with runs or of a run.
        path: the file to write; None for ``RUN_report.html`` in the current folder.
        measures: columns of the table of wells to show; empty for the most telling ones.
        negative: expression over the plate map for the wells with the negative control, such as
            ``"control == 'DMSO'"``; empty to find them by the usual names.
        positive: expression for the wells with the positive control.
        with_excluded: whether wells that were excluded count all the same.
        on_progress: called with what is done next, in words. If it raises an exception, no file is written.

    Returns:
        What was written, and what was left out.

    Raises:
        OutputError: there is no run, a measure does not exist, a table is damaged, or the file can't be written.
        PlateMapError: the plate map can't be read, or an expression is not valid.
    """
    if path is not None and Path(path).suffix.lower() not in SUFFIXES:
        raise OutputError(not_html(Path(path)))
    opened = results if isinstance(results, Results) else open_results(os.fspath(results))
    made = make_report(opened, measures, negative, positive, on_progress, with_excluded=with_excluded)
    return made.write(Path(report_name(opened)) if path is None else Path(path))


def report_name(results: Results) -> str:
    """Return the usual name of the report of a run."""
    return f"{results.folder.name}_report.html"


def make_report(
    results: Results,
    measures: Sequence[str] = (),
    negative: str = "",
    positive: str = "",
    on_progress: OnProgress = lambda what: None,
    *,
    with_excluded: bool = False,
) -> MadeReport:
    """Read everything that a report shows; see ``write_report``.

    Raises:
        OutputError: a measure does not exist, or a table or the list of excluded wells is damaged.
        PlateMapError: the plate map can't be read, or an expression is not valid.
    """
    on_progress("reading the tables")
    run = read_run(results)
    known = read_exclusions(results.found.run)
    excluded = frozenset() if with_excluded else known.names
    chosen = choose_measures(results, measures).without(excluded)
    quality = read_quality(run)
    on_progress("comparing the wells")
    found = read_statistics(run, chosen, measures, negative, positive, excluded)
    drawing = PlateDrawing.of(run, found.wells_of(ControlKind.NEGATIVE), found.wells_of(ControlKind.POSITIVE))
    wells = choose_wells(run, chosen, quality)
    on_progress("opening the plate")
    pictures = read_pictures(
        results.folder, {one.well: one.site for one in wells}, lambda well: on_progress(f"reading images of {well}")
    )
    on_progress("drawing")
    sections = (
        heat_maps_section(run, chosen, drawing).noting(known.sentence(kept=with_excluded)),
        controls_section(found, chosen),
        doses_section(found, chosen),
        replicates_section(found),
        quality_section(quality, drawing),
        failures_section(run),
        examples_section(run, wells, pictures),
        made_section(run),
    )
    return MadeReport(run, chosen, sections, len(quality.flagged) if quality is not None and quality.columns else None)


def _foot(run: ReportedRun) -> str:
    version = importlib.metadata.version("openhcs-runtime")
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    return f"Made by openhcs-runtime {version} on {now} from {run.results.folder}."
