"""A run of a plate as HTML: its bar, the map of its wells, what is running, and which wells failed and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePath

from openhcs_runtime.notebook.well_map import well_map
from openhcs_runtime.results import PlateResult
from openhcs_runtime.terminal.bars import plate_text, well_text
from openhcs_runtime.terminal.progress import BoardView, Stage
from zmqruntime.execution import AxisProgress, AxisState, PlateState
from zmqruntime.execution.text import plural
from zmqruntime.html import bar, code, shortened, status_badge, table

__all__ = ["RunContent"]

_ROWS = 10


@dataclass(frozen=True, slots=True)
class RunContent:
    """A run at one moment, for a live view.

    Attributes:
        view: the run.
        plate_path: the plate.
        result: how it ended; None while it is running.
    """

    view: BoardView
    plate_path: str
    result: PlateResult | None = None

    def as_html(self) -> str:
        """Return the run as HTML."""
        view = self.view
        running = [well for well in view.wells if well.state is AxisState.RUNNING]
        failed = [well for well in view.wells if well.state is AxisState.FAILED]
        parts = [
            _head(view, self.plate_path),
            f"<div>{escape(line)}</div>" if (line := view.waiting or view.following) else "",
            well_map(view.wells),
            _wells(running, "running") if view.stage is not Stage.ENDED else "",
            _wells(failed, "failed"),
            _end(self.result),
        ]
        return f"<div>{''.join(parts)}</div>"

    def as_text(self) -> str:
        """Return the run as a few lines of text."""
        view = self.view
        lines = [f"{_name(self.plate_path)}: {int(view.plate.percent)} %, {plate_text(view)}"]
        lines += [f"{well.axis_id} {well_text(well)}" for well in view.wells if well.state is AxisState.FAILED][:_ROWS]
        return "\n".join([*lines, *([f"results: {self.result.output_dir}"] if self.result else [])])


def _head(view: BoardView, plate_path: str) -> str:
    state = view.plate.state
    status = "running" if state.is_preparing else state.value
    name = f'<b title="{escape(plate_path, quote=True)}">{escape(_name(plate_path))}</b>'
    return f"<div>{name} {status_badge(status)} {bar(view.plate.percent, status)} {escape(_words(view))}</div>"


def _words(view: BoardView) -> str:
    ended = view.stage is Stage.ENDED and view.plate.error and view.plate.state is PlateState.FAILED
    return f"{plate_text(view)}: {shortened(view.plate.error)}" if ended else plate_text(view)


def _name(plate_path: str) -> str:
    return PurePath(plate_path).name or plate_path


def _wells(wells: Sequence[AxisProgress], what: str) -> str:
    rows = [
        (code(well.axis_id), bar(well.percent, well.state.value), code(shortened(well_text(well))))
        for well in wells[:_ROWS]
    ]
    return _listed(("well", "progress", "step"), rows, len(wells), what) if wells else ""


def _listed(header: Sequence[str], rows: Sequence[Sequence[str]], total: int, what: str) -> str:
    more = f"<div>… and {total - len(rows):,} more</div>" if total > len(rows) else ""
    return table(header, rows, f"{plural(total, 'well')} {what}") + more


def _end(result: PlateResult | None) -> str:
    if result is None:
        return ""
    counts = ", ".join(f"{count:,} {name.removesuffix('_count')}" for name, count in result.counts.items())
    return f"<div>{escape(counts)}{' in ' if counts else ''}{code(result.output_dir)}</div>"
