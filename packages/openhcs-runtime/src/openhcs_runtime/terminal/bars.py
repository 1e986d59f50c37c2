"""A run as progress bars: one for each well that fits on the screen, and one for the plate."""

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from openhcs_runtime.tasks import FOLLOW_STEP
from openhcs_runtime.terminal.progress import BoardView, RunProgress, Stage
from zmqruntime.execution import AxisProgress, AxisState
from zmqruntime.execution.text import plural, timing

__all__ = ["WELL_STYLES", "WELL_WORDS", "BoardBars", "bars", "chosen_wells", "plate_text", "well_text"]

_BAR_WIDTH = 30
_KEPT_LINES = 7
"""Lines of the screen reserved for plate, viewer, server, the summary of hidden wells, and earlier output."""

WELL_STYLES = {
    AxisState.WAITING: "dim",
    AxisState.RUNNING: "cyan",
    AxisState.COMPLETE: "green",
    AxisState.FAILED: "red",
    AxisState.CANCELLED: "yellow",
}
WELL_WORDS = {state: "done" if state is AxisState.COMPLETE else state.value for state in AxisState}


class BoardBars:
    """Renders the present state of a board."""

    def __init__(self, board: RunProgress) -> None:
        self._board = board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield bars(self._board.view(), console.size.height)


def bars(view: BoardView, height: int) -> RenderableType:
    """Return the bars of a run that fit on a screen of this many lines."""
    shown = chosen_wells(view, max(1, height - _KEPT_LINES))
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, min_width=5)
    table.add_column(no_wrap=True, width=_BAR_WIDTH)
    table.add_column(no_wrap=True, justify="right", width=5)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for well in shown:
        style = WELL_STYLES[well.state]
        bar = ProgressBar(
            total=1, completed=well.fraction, style="bar.back", complete_style=style, finished_style=style
        )
        table.add_row(well.axis_id, bar, _percent(well.fraction), Text(well_text(well), style=style))
    complete = ProgressBar(total=1, completed=view.fraction, complete_style="bold blue", finished_style="bold green")
    if view.following or (not view.wells and view.stage is not Stage.ENDED):
        complete = ProgressBar(pulse=True)
    percent = _percent(view.fraction) if view.wells and not view.following else ""
    # With the words before it, the time would not fit on a narrow screen.
    table.add_row(Text("Plate", style="bold"), complete, percent, Text(view.following or plate_text(view)))
    if view.viewer is not None:
        table.add_row(Text("Viewer", style="bold"), "", "", Text(str(view.viewer)))
    if view.waiting:
        table.add_row(Text("Server", style="bold"), "", "", Text(view.waiting, style="yellow"))
    hidden = [] if view.stage is Stage.ENDED else [well for well in view.wells if well not in shown]
    return Group(Text(_hidden_text(hidden), style="dim"), table) if hidden else table


def chosen_wells(view: BoardView, room: int) -> tuple[AxisProgress, ...]:
    """Return the wells to show in this many lines: all if they fit, else running ones, then the latest failed ones."""
    if len(view.wells) <= room:
        return view.wells
    running = [well for well in view.wells if well.state is AxisState.RUNNING]
    failed = [well for well in view.wells if well.state is AxisState.FAILED]
    chosen = running[:room]
    left = room - len(chosen)
    return (*(failed[-left:] if left else ()), *chosen)


def plate_text(view: BoardView) -> str:
    """Return the progress of the plate in words."""
    if view.following:
        return f"{FOLLOW_STEP}: {view.following}"
    if view.stage not in (Stage.WELLS, Stage.FINISHING, Stage.ENDED, Stage.CANCELLING) or not view.wells:
        return view.stage.value
    parts = [f"{view.done} of {plural(len(view.wells), 'well')}"]
    if view.plate_step:
        parts.append(view.plate_step)
    for state in (AxisState.FAILED, AxisState.CANCELLED):
        if count := view.count(state):
            parts.append(f"{count} {WELL_WORDS[state]}")
    if view.stage in (Stage.FINISHING, Stage.CANCELLING):
        parts.append(view.stage.value)
    parts.append(timing(view.elapsed, view.remaining))
    return ", ".join(parts)


def well_text(well: AxisProgress) -> str:
    """Return the progress of the well in words."""
    match well.state:
        case AxisState.RUNNING if well.step_name:
            where = f"{well.step_name} (step {well.step_index + 1} of {well.total_steps})"
            return f"{where}, {well.message}" if well.message else where
        case AxisState.FAILED:
            return f"failed: {well.error}" if well.error else "failed"
        case AxisState.CANCELLED if well.step_name:
            return f"cancelled in {well.step_name}"
        case state:
            return WELL_WORDS[state]


def _hidden_text(wells: list[AxisProgress]) -> str:
    """Return the counts of hidden wells by state."""
    counts = {state: sum(well.state is state for well in wells) for state in AxisState}
    words = ", ".join(f"{count:,} {WELL_WORDS[state]}" for state, count in counts.items() if count)
    return f"not shown: {words}"


def _percent(fraction: float) -> str:
    return f"{int(fraction * 100)} %"
