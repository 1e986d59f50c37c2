"""The head of a report: what was run and how it ended, in words and in a few figures."""

from collections.abc import Sequence
from pathlib import PurePath

from openhcs_runtime.outputs.runs import RunStatus, local_time
from openhcs_runtime.report.html import Html, element, joined
from openhcs_runtime.report.measures import ChosenMeasures
from openhcs_runtime.report.run import ReportedRun, WellState
from openhcs_runtime.report.section import Section, paragraph
from zmqruntime.execution.text import duration, plural

_ENDINGS = {
    RunStatus.COMPLETE: ("is ", "complete", "good"),
    RunStatus.FAILED: ("has ", "failed", "bad"),
    RunStatus.CANCELLED: ("was ", "cancelled", "warn"),
    RunStatus.RUNNING: ("is ", "still running", "warn"),
    RunStatus.INTERRUPTED: ("was ", "interrupted", "warn"),
    RunStatus.DAMAGED: ("is ", "damaged", "bad"),
}


def plate_name(run: ReportedRun) -> str:
    """Return the name of the plate."""
    return PurePath(run.provenance.plate_path.rstrip("/\\")).name or run.results.folder.name


def head(run: ReportedRun, chosen: ChosenMeasures, sections: Sequence[Section], flagged: int | None) -> Html:
    """Return title, summary and links to the sections.

    Args:
        run: the run.
        chosen: the measures that are shown.
        sections: the sections below.
        flagged: number of images flagged by quality control; None if it is not known.
    """
    links = [element("li", element("a", section.title, href=f"#{section.name}")) for section in sections]
    return element(
        "header",
        element("h1", plate_name(run)),
        paragraph(_words(run), "lead"),
        element("dl", *_facts(run, chosen, flagged), class_="facts"),
        element("nav", element("ul", *links), aria_label="Sections"),
    )


def _words(run: ReportedRun) -> Html:
    known = run.provenance
    verb, word, style = _ENDINGS[run.status]
    if run.status is RunStatus.FAILED and run.wells_in(WellState.FAILED):
        verb, word = "ended with ", "failed wells"
    begun, wells = local_time(known.begun_at), len(run.wells)
    complete = len(run.wells_in(WellState.COMPLETE))
    of_wells = plural(wells, "well")
    said = f"Pipeline {known.pipeline_name} ran over {of_wells}{f' on {begun}' if begun else ''}. The run {verb}"
    rest = [
        f"{len(found)} {'is' if len(found) == 1 else 'are'} {state}"
        if state is not WellState.FAILED
        else f"{len(found)} failed"
        for state in (WellState.COMPLETE, WellState.FAILED, WellState.CANCELLED, WellState.NOT_FINISHED)
        if (found := run.wells_in(state))
    ]
    counts = "." if complete == wells else f": of {plural(wells, 'well')}, {_listed(rest)}."
    return joined(said, element("span", word, class_=f"state {style}"), counts)


def _facts(run: ReportedRun, chosen: ChosenMeasures, flagged: int | None) -> list[Html]:
    known = run.provenance
    complete, wells = len(run.wells_in(WellState.COMPLETE)), len(run.wells)
    facts: list[tuple[str, str, str]] = [("Wells complete", f"{complete} of {wells}", "")]
    if known.ended_at and known.wells:
        facts.append(("Computing time", duration(sum(well.elapsed_s for well in known.wells)), "sum of all wells"))
    facts.append(("Input files", f"{len(known.inputs)}", ""))
    if flagged is not None:
        facts.append(("Images flagged", str(flagged), "by quality control; an image has all its channels"))
    for measure in chosen.shown[:1]:
        if measure.values:
            values = sorted(measure.values.values())
            middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
            facts.append((f"Median well, {measure.title}", f"{middle:.5g}", f"{values[0]:.5g} to {values[-1]:.5g}"))
    if run.plate_map is not None:
        facts.append(("Plate map", plural(len(run.plate_map.columns), "column"), ", ".join(run.plate_map.columns[:6])))
    else:
        facts.append(("Plate map", "none", "the plate has none"))
    return [_fact(*fact) for fact in facts]


def _fact(name: str, value: str, more: str) -> Html:
    below = [element("small", more)] if more else []
    return element("div", element("dt", name), element("dd", value, *below))


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
