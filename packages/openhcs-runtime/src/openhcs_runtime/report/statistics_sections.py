"""The sections on controls, dose responses and replicates."""

import math
from collections.abc import Sequence

from openhcs_runtime.profiles import AssayQuality, ControlKind, DoseOutcome, DoseResponse
from openhcs_runtime.report.html import NOTHING, Html, element, joined
from openhcs_runtime.report.measures import ChosenMeasures
from openhcs_runtime.report.plot_svg import dose_plot, replicate_plot
from openhcs_runtime.report.section import Section, number, paragraph, table
from openhcs_runtime.report.statistics import PlateStatistics
from zmqruntime.execution.text import plural

_MOST_PLOTS = 24
_MOST_ROWS = 400
_MOST_NAMED = 8
_TOO_FEW = (DoseOutcome.TOO_FEW_DOSES, DoseOutcome.TOO_FEW_VALUES)
_DOSE_WORDS = (
    "Curves are four-parameter log-logistic fits by least squares. The dashed line is the EC50, the band its 95 % "
    "confidence interval. No number is given where the doses do not determine one."
)
_MEANS = (
    "The values of wells are those of the table of wells, where a measure of objects is their mean. openhcs-runtime "
    "profile takes medians, and means with --centre mean, so that its figures differ."
)
_QUALITY_TITLES = (
    "Measure",
    "Negative",
    "Positive",
    "Z'",
    "Robust Z'",
    "SSMD",
    "Robust SSMD",
    "S/B",
    "CV neg.",
    "CV pos.",
)
_DOSE_TITLES = ("Compound", "Wells", "Doses", "EC50", "95 % confidence", "Hill", "Bottom", "Top", "R2", "Outcome")


def controls_section(found: PlateStatistics, chosen: ChosenMeasures) -> Section:
    """Return the section with the statistics of controls."""
    titles = {measure.column: measure.title for measure in chosen.shown}
    rules = [
        paragraph(joined(f"{kind.capitalize()} controls: ", element("code", wells.rule), f", {_wells(found, kind)}."))
        for kind, wells in found.controls.items()
    ]
    if not found.quality:
        missing = (found.no_controls, *found.notes) if found.no_controls else found.notes
        return Section("controls", "Controls", joined(*rules), missing)
    rows = [_quality_row(quality, titles) for quality in found.quality]
    words = (
        "Z' is 1 at best, above 0.5 for an excellent assay, and below 0 where controls overlap (Zhang et al., 1999). "
        "SSMD is the difference of positive and negative controls in units of their spread (Zhang, 2007). S/B is the "
        "ratio of their means, CV the coefficient of variation in percent. The robust values use medians."
    )
    content = joined(
        *rules,
        table("Statistics of controls", _QUALITY_TITLES, rows),
        paragraph(_MEANS, "quiet small"),
        paragraph(words, "quiet small"),
    )
    return Section("controls", "Controls", content, found.notes)


def doses_section(found: PlateStatistics, chosen: ChosenMeasures) -> Section:
    """Return the section with the dose responses."""
    titles = {measure.column: measure.title for measure in chosen.shown}
    parts: list[Html] = []
    left_out = [found.no_responses] if found.no_responses else []
    few: dict[str, None] = {}
    hardly: dict[str, None] = {}
    for measure, responses in found.responses.items():
        few |= dict.fromkeys(_compound(one) for one in responses if one.curve.outcome is DoseOutcome.TOO_FEW_DOSES)
        hardly |= dict.fromkeys(_compound(one) for one in responses if one.curve.outcome is DoseOutcome.TOO_FEW_VALUES)
        tested = [one for one in responses if one.curve.outcome not in _TOO_FEW]
        if tested:
            parts += _of_measure(titles[measure], tested, left_out)
    for found_few, want in ((few, "four different doses"), (hardly, "values")):
        if found_few:
            names = ", ".join([*found_few][:_MOST_NAMED]) + (" and others" if len(found_few) > _MOST_NAMED else "")
            left_out.append(f"{plural(len(found_few), 'compound')} without a curve, for want of {want}: {names}.")
    if parts:
        parts += [paragraph(_DOSE_WORDS, "quiet small"), paragraph(_MEANS, "quiet small")]
    return Section("doses", "Dose responses", joined(*parts), tuple(left_out))


def _of_measure(title: str, tested: Sequence[DoseResponse], left_out: list[str]) -> list[Html]:
    """Return plots of the compounds that respond, and a table of all."""
    order = list(DoseOutcome)
    shown = sorted(
        (one for one in tested if one.curve.outcome is not DoseOutcome.NO_RESPONSE),
        key=lambda one: order.index(one.curve.outcome),
    )
    if len(shown) > _MOST_PLOTS:
        left_out.append(f"{title}: plots are shown for {_MOST_PLOTS} of {len(shown)} compounds with a response.")
    if len(tested) > _MOST_ROWS:
        left_out.append(f"{title}: the table has {_MOST_ROWS} of {len(tested)} compounds.")
    plots = element("div", *map(_dose_figure, shown[:_MOST_PLOTS]), class_="grid curves")
    return [
        element("h3", title),
        plots if shown else paragraph("No compound has a response."),
        table(f"Dose responses, {title}", _DOSE_TITLES, map(_dose_row, tested[:_MOST_ROWS])),
    ]


def replicates_section(found: PlateStatistics) -> Section:
    """Return the section on how alike replicates are."""
    replicates = found.replicates
    if replicates is None:
        return Section("replicates", "Replicates", NOTHING, (found.no_replicates,) if found.no_replicates else ())
    said = (
        f"{replicates.percent_replicating:.0f} % of {plural(len(replicates.groups), 'treatment')} with several wells "
        f"are replicating: the median correlation of their wells is above {replicates.threshold:.2f}, the 95th "
        "percentile for wells that got different things. "
        "Controls do not count."
    )
    source = "Percent replicating as in Way et al., Cell Systems 13, 2022."
    key = element(
        "ul",
        element("li", _swatch("replicates"), "replicates"),
        element("li", _swatch("chance"), "wells that got different things"),
        class_="legend",
    )
    notes = paragraph(" ".join(replicates.notes), "quiet small")
    plot = element("figure", replicate_plot(replicates), class_="one")
    return Section(
        "replicates", "Replicates", joined(paragraph(said), notes, key, plot, paragraph(source, "quiet small"))
    )


def _swatch(style: str) -> Html:
    square = element("rect", class_=style, width=10, height=10)
    return element("svg", square, class_="plot", viewBox="0 0 10 10", aria_hidden="true")


def _wells(found: PlateStatistics, kind: ControlKind) -> str:
    wells = len(found.wells_of(kind))
    present = found.present.get(kind, wells)
    return plural(wells, "well") if present == wells else f"{plural(wells, 'well')}, of which {present} with values"


def _quality_row(quality: AssayQuality, titles: dict[str, str]) -> tuple[str | float | int | None, ...]:
    numbers = (
        quality.z_prime,
        quality.robust_z_prime,
        quality.ssmd,
        quality.robust_ssmd,
        quality.signal_to_background,
        quality.cv_negative,
        quality.cv_positive,
    )
    rounded = (float(f"{value:.3g}") if math.isfinite(value) else None for value in numbers)
    return titles[quality.measure], quality.negatives, quality.positives, *rounded


def _dose_figure(response: DoseResponse) -> Html:
    name = _compound(response)
    return element(
        "figure",
        element("h3", name),
        dose_plot(response, f"Response to {name}"),
        element("figcaption", _said(response)),
    )


def _dose_row(response: DoseResponse) -> Sequence[str | float | int | None]:
    curve = response.curve
    return (
        _compound(response),
        curve.values,
        curve.doses,
        _dose(curve.ec50, response.unit) if math.isfinite(curve.ec50) else "-",
        _interval(response) or "-",
        *(float(f"{value:.3g}") if math.isfinite(value) else None for value in (curve.hill, curve.bottom, curve.top)),
        float(f"{curve.r_squared:.3g}") if math.isfinite(curve.r_squared) else None,
        response.said,
    )


def _said(response: DoseResponse) -> str:
    curve = response.curve
    if curve.outcome is not DoseOutcome.FITTED:
        return response.said[:1].upper() + response.said[1:]
    return (
        f"EC50 {_dose(curve.ec50, response.unit)} ({_interval(response)}), Hill {number(round(curve.hill, 2))}, "
        f"R2 {curve.r_squared:.2f}"
    )


def _interval(response: DoseResponse) -> str:
    curve = response.curve
    if not math.isfinite(curve.ec50):
        return ""
    return f"{curve.ec50_low:.3g} to {curve.ec50_high:.3g}"


def _dose(dose: float, unit: str) -> str:
    return f"{dose:.3g} {unit}".rstrip()


def _compound(response: DoseResponse) -> str:
    return ", ".join(str(part) for part in (response.compound, response.cell_line) if part is not None)
