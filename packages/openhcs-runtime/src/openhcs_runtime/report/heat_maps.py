"""The section of heat maps."""

from openhcs_runtime.report.html import Html, element, joined
from openhcs_runtime.report.measures import ChosenMeasures
from openhcs_runtime.report.plate_svg import PlateDrawing, legend
from openhcs_runtime.report.run import ReportedRun, WellState
from openhcs_runtime.report.section import Section, paragraph
from zmqruntime.execution.text import plural


def heat_maps_section(run: ReportedRun, chosen: ChosenMeasures, drawing: PlateDrawing) -> Section:
    """Return the section with a heat map for each measure."""
    if not chosen.shown:
        return Section("heat-maps", "Heat maps", joined(), (f"There are no heat maps. {chosen.why_none}",))
    controls = set(drawing.classes.values())
    key = legend(
        has_failed=bool(run.wells_in(WellState.FAILED)),
        has_negative="negative" in controls,
        has_positive="positive" in controls,
    )
    maps = [drawing.draw(measure) for measure in chosen.shown]
    left_out = []
    if chosen.left_out:
        verb, others = "is" if chosen.left_out == 1 else "are", plural(chosen.left_out, "other measure")
        left_out.append(f"{others} of wells {verb} not shown: name those you want with --measure.")
    if run.plate_map is None:
        left_out.append("The plate has no plate map, so the wells show only their names and values.")
    return Section(
        "heat-maps",
        "Heat maps",
        joined(_how_to(), key, element("div", *maps, class_=drawing.style(len(maps)))),
        tuple(left_out),
    )


def _how_to() -> Html:
    text = "Point at a well, or move through the wells with the arrow keys, to see its value and what it contains."
    return paragraph(text, "quiet")
