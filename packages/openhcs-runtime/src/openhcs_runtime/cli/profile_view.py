"""What a screen says, in tables and for programs."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from openhcs_runtime.profiles.columns import MapRole
from openhcs_runtime.profiles.dose_curve import DoseOutcome
from openhcs_runtime.profiles.dose_response import DoseResponse
from openhcs_runtime.profiles.hits import Hit
from openhcs_runtime.profiles.quality import AssayQuality
from openhcs_runtime.profiles.replicates import ReplicateCorrelation
from openhcs_runtime.profiles.screen import Screen
from openhcs_runtime.profiles.tables import hit_rows, response_rows
from openhcs_runtime.profiles.words import Centre
from openhcs_runtime.tables.places import WELLS
from zmqruntime.execution.text import plural

__all__ = ["print_screen", "screen_document"]

_ROWS, _NAMED = 20, 5


def print_screen(screen: Screen, *, hits: bool, dose_response: bool, threshold: float) -> None:
    """Print controls, quality, hits, dose responses and replicates.

    Args:
        screen: what is said of the screen.
        hits: whether hits were looked for.
        dose_response: whether dose responses were fitted.
        threshold: how far from 0 a hit is at least.
    """
    console = Console(highlight=False)
    console.print(_facts(screen), soft_wrap=True)
    if screen.quality:
        _print_quality(console, screen.quality)
    for measure in screen.normalised.measures if hits else ():
        _print_hits(console, measure, [hit for hit in screen.hits if hit.measure == measure], threshold)
    for measure in screen.normalised.measures if dose_response else ():
        _print_responses(console, measure, [each for each in screen.responses if each.measure == measure])
    if screen.replication is not None:
        console.print()
        console.print(_replication(screen.replication), soft_wrap=True)


def screen_document(screen: Screen) -> dict[str, Any]:
    """The same for programs."""
    replication = screen.replication
    return {
        "table": screen.profiles.table,
        "wells": len(screen.profiles),
        "measures": list(screen.profiles.measures),
        "notes": list(screen.notes),
        "excluded": {one.well: one.note for one in screen.excluded.wells},
        "columns": {role.value: name for role, name in screen.found.items()},
        "controls": {
            kind.value: {
                "rule": wells.rule,
                "found": wells.found,
                "wells": [well for well, chosen in zip(screen.profiles.wells, wells.chosen, strict=True) if chosen],
            }
            for kind, wells in screen.controls.items()
        },
        "quality": [asdict(quality) for quality in screen.quality],
        "hits": hit_rows(screen.hits),
        "dose_responses": response_rows(screen.responses),
        "replicates": None
        if replication is None
        else {
            "groups": len(replication.groups),
            "median_correlation": float(np.nanmedian(replication.medians)),
            "null_threshold": replication.threshold,
            "percent_replicating": replication.percent_replicating,
            "measures": list(replication.measures),
            "measures_left_out": list(replication.measures_left_out),
            "wells_left_out": list(replication.wells_left_out),
        },
    }


def _facts(screen: Screen) -> str:
    """Which wells and columns are used, and which of them were found by their usual names."""
    lines = [f"{plural(len(screen.profiles), 'well')}, {plural(len(screen.profiles.measures), 'measure')}"]
    if screen.centre is Centre.MEDIAN and screen.profiles.table != WELLS:
        lines.append(
            "Wells have medians of their objects; the table of wells and the report have means (--centre mean)"
        )
    for kind, wells in screen.controls.items():
        how = ", found by its usual name" if wells.found else ""
        lines.append(
            f"{kind.value.capitalize()} controls: {wells.rule} ({plural(int(wells.chosen.sum()), 'well')}{how})"
        )
    columns = [f"{role} = {name}" for role, name in screen.found.items() if role is not MapRole.CONTROL]
    if columns:
        lines.append(f"Columns of the plate map: {', '.join(columns)}")
    if screen.normalised is not screen.profiles:
        lines.append(screen.comparison.sentence)
    lines += screen.notes
    empty = [name for name in screen.normalised.measures if np.isnan(screen.normalised.column(name)).all()]
    if empty:
        more = f" and {len(empty) - _NAMED} more" if len(empty) > _NAMED else ""
        lines.append(
            f"No values of {', '.join(empty[:_NAMED])}{more}: what they are compared with has no spread, or no values"
        )
    return "\n".join(lines)


def _print_quality(console: Console, quality: Sequence[AssayQuality]) -> None:
    best = sorted(quality, key=lambda each: -math.inf if math.isnan(each.z_prime) else each.z_prime, reverse=True)
    shown = best[:_ROWS] if len(best) > _ROWS else list(quality)
    table = _table("Measure", "Z'", "robust Z'", "SSMD", "S/B", "CV neg", "CV pos")
    for each in shown:
        numbers = (each.z_prime, each.robust_z_prime, each.ssmd, each.signal_to_background)
        shares = (each.cv_negative, each.cv_positive)
        table.add_row(Text(each.measure), *map(_short, numbers), *(f"{_short(share)} %" for share in shares))
    console.print()
    console.print(table)
    if len(quality) > len(shown):
        console.print(f"The {len(shown)} of {len(quality)} measures with the highest Z'; the file has all.")


def _print_hits(console: Console, measure: str, hits: Sequence[Hit], threshold: float) -> None:
    console.print()
    console.print(Text(f"{plural(len(hits), 'hit')} of {measure}, {threshold:g} or more from 0"), soft_wrap=True)
    if not hits:
        return
    table = _table("Compound", "Dose", "Value", "Agree", "Wells")
    for hit in hits[:_ROWS]:
        compound, unit = hit.of.get(MapRole.COMPOUND), hit.of.get(MapRole.DOSE_UNIT)
        dose = _text(hit.of.get(MapRole.DOSE)) + (f" {unit}" if unit is not None else "")
        agree = f"{hit.agreeing}/{len(hit.wells)}"
        table.add_row(Text(_text(compound)), Text(dose), _short(hit.value), agree, " ".join(hit.wells))
    console.print(table)
    if len(hits) > _ROWS:
        console.print(f"The {_ROWS} strongest of {len(hits)}; the file has all.")


def _print_responses(console: Console, measure: str, responses: Sequence[DoseResponse]) -> None:
    console.print()
    if not responses:
        console.print("No compound has doses above 0.")
        return
    console.print(Text(f"Dose response of {measure}"), soft_wrap=True)
    table = _table("Compound", "EC50", "95 % interval", "Hill", "R2")
    for response in responses[:_ROWS]:
        table.add_row(*_response_cells(response))
    console.print(table)
    if len(responses) > _ROWS:
        console.print(f"The first {_ROWS} of {len(responses)}; the file has all.")


def _response_cells(response: DoseResponse) -> tuple[Text, ...]:
    curve = response.curve
    cells = " in " + _text(response.cell_line) if response.cell_line is not None else ""
    name = Text(_text(response.compound) + cells)
    if curve.outcome is not DoseOutcome.FITTED:
        return name, Text(response.said)
    interval = f"{_short(curve.ec50_low)} to {_short(curve.ec50_high)}"
    ec50 = f"{_short(curve.ec50)} {response.unit}".strip()
    return name, *map(Text, (ec50, interval, _short(curve.hill), _short(curve.r_squared)))


def _replication(replication: ReplicateCorrelation) -> str:
    said = (
        f"Replicates: {replication.percent_replicating:.0f} % of {plural(len(replication.groups), 'treatment')} are "
        f"more alike than 95 % of random wells (correlation {replication.threshold:.2f}; controls do not count)"
    )
    return "\n".join([said, *replication.notes])


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", overflow="fold")
    return table


def _short(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.3g}"


def _text(value: object) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
