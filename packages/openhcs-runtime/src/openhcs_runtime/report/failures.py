"""The wells that failed, were cancelled or were not finished, and why."""

from openhcs_runtime.report.html import Html, joined
from openhcs_runtime.report.run import ReportedRun, WellState
from openhcs_runtime.report.section import Section, paragraph, table

_MOST_ROWS = 400


def failures_section(run: ReportedRun) -> Section:
    """Return the section with the wells that have no complete results."""
    parts = [_failed(run), *(_without(run, state) for state in (WellState.CANCELLED, WellState.NOT_FINISHED))]
    error = [paragraph(f"The run itself: {run.provenance.error}", "bad")] if run.provenance.error else []
    if not any(parts) and not error:
        return Section("failures", "Failed wells", paragraph("All wells are complete."))
    return Section("failures", "Failed wells", joined(*error, *parts))


def _failed(run: ReportedRun) -> Html:
    wells = run.wells_in(WellState.FAILED)
    if not wells:
        return paragraph("No well failed.")
    rows = [
        (well, *((run.described(well) or "-",) if run.plate_map else ()), ended.step or "-", ended.error or "not known")
        for well in wells[:_MOST_ROWS]
        for ended in [run.ended[well]]
    ]
    titles = ("Well", *(("Plate map",) if run.plate_map else ()), "Step", "Reason")
    more = f"The first {_MOST_ROWS} of {len(wells)} failed wells." if len(wells) > _MOST_ROWS else ""
    return table("Failed wells", titles, rows, more)


def _without(run: ReportedRun, state: WellState) -> Html:
    wells = run.wells_in(state)
    if not wells:
        return joined()
    what = "Cancelled" if state is WellState.CANCELLED else "Not finished"
    return paragraph(f"{what}: {', '.join(wells)}.")
