"""How a run ended, as HTML for notebooks."""

from html import escape
from typing import TYPE_CHECKING

from zmqruntime.execution.text import duration, plural
from zmqruntime.html import code, fields, shortened, status_badge, table

if TYPE_CHECKING:
    from openhcs_runtime.results import PlateResult

__all__ = ["result_html"]

_FAILED = "failed"
_ROWS = 20


def result_html(result: "PlateResult") -> str:
    """Return status, counts, where the results are, and the wells that failed with their errors."""
    pairs = [
        ("plate", code(result.plate_path)),
        ("status", status_badge(result.status)),
        ("wells", escape(_wells(result))),
        *((name.removesuffix("_count"), f"{count:,}") for name, count in result.counts.items()),
        ("time", duration(result.elapsed_s)),
        ("results", code(result.output_dir)),
    ]
    if result.error:
        pairs.append(("error", code(shortened(result.error))))
    return fields(pairs) + _failures(result)


def _wells(result: "PlateResult") -> str:
    statuses = [well.status.value for well in result.wells]
    return ", ".join(f"{statuses.count(status):,} {status}" for status in dict.fromkeys(statuses)) or "none"


def _failures(result: "PlateResult") -> str:
    failed = [well for well in result.wells if well.status == _FAILED]
    if not failed:
        return ""
    rows = [(code(well.well), escape(well.step), code(shortened(well.error))) for well in failed[:_ROWS]]
    more = f"<div>… and {len(failed) - _ROWS:,} more</div>" if len(failed) > _ROWS else ""
    return table(("well", "step", "error"), rows, f"{plural(len(failed), 'well')} failed") + more
