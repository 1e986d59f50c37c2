"""The plate view as an app: events update a board, which is drawn at most ten times a second."""

import contextlib
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.timer import Timer
from textual.widgets import Footer, Static

from openhcs_runtime.terminal.bars import WELL_STYLES, WELL_WORDS, plate_text
from openhcs_runtime.terminal.progress import BoardView, RunProgress, Stage
from openhcs_runtime.terminal.tui.details import well_details
from openhcs_runtime.terminal.tui.grid import PlateGrid, well_sign
from openhcs_runtime.terminal.tui.questions import Question
from openhcs_runtime.terminal.tui.steps import StepRecord
from openhcs_runtime.viewers.origin import short_names
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution import AsyncExecutionClient, AxisProgress, AxisState
from zmqruntime.execution.helpers.patience import patience_text
from zmqruntime.messages import Event, ProgressUpdate

__all__ = ["PlateApp"]

_FRAME_SECONDS = 0.1
_CLOCK_SECONDS = 1.0
_WELL_COLUMNS = 34
"""Columns of the terminal that the details of a well need next to the plate."""


class PlateApp(App[None]):
    """Shows one execution until the user quits; the execution continues.

    Args:
        client: a connected client; it is left open.
        execution_id: the full id of the execution, which may have ended.
        plate_id: the path of the plate, for its name in the title.
    """

    TITLE = "OpenHCS"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Leave"),
        Binding("ctrl+c", "quit", "Leave", show=False, priority=True),
        Binding("f", "next_failed", "Next failed"),
        Binding("c", "cancel_well", "Cancel well"),
        Binding("X", "cancel_run", "Cancel run"),
        Binding("pagedown", "scroll_well(1)", "More", key_display="PgDn", priority=True),
        Binding("pageup", "scroll_well(-1)", "Less", show=False, priority=True),
    ]
    CSS = """
    #title { height: 1; text-style: bold; padding: 0 1; }
    #plate { height: 1fr; }
    PlateGrid { width: 2fr; padding: 1 1 0 1; }
    #well { width: 1fr; min-width: 32; border-left: solid $primary; padding: 1; }
    #status { height: auto; max-height: 4; padding: 0 1; }
    #plate.-narrow { layout: vertical; }
    .-narrow PlateGrid { width: 1fr; height: auto; max-height: 70%; padding: 0 1; }
    .-narrow #well { width: 1fr; height: 1fr; border-left: none; border-top: solid $primary; padding: 0 1; }
    """

    def __init__(self, client: AsyncExecutionClient, execution_id: str, plate_id: str) -> None:
        super().__init__()
        self._client = client
        self._execution_id = execution_id
        self._title = f"{short_names([plate_id])[plate_id]}   execution {execution_id[:12]}"
        self._board = RunProgress()
        self._steps = StepRecord()
        self._next_frame: Timer | None = None
        self._lost = ""
        self._grid = PlateGrid()

    def compose(self) -> ComposeResult:
        """Compose the title, the grid next to the selected well, a summary of the plate, and the keys."""
        yield Static(self._title, id="title", markup=False)
        with Horizontal(id="plate"):
            yield self._grid
            with VerticalScroll(id="well", can_focus=False):
                yield Static(id="details", markup=False)
        yield Static(id="status", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Start following the execution."""
        self._grid.focus()
        self.set_interval(_CLOCK_SECONDS, self._tick)
        self._draw()
        self._follow()

    def on_resize(self) -> None:
        """Keep all columns of the plate visible."""
        self._arrange()

    def on_plate_grid_selected(self) -> None:
        """Show the newly selected well, scrolled to the top."""
        self.query_one("#well", VerticalScroll).scroll_home(animate=False)
        self._draw_well(self._board.view())

    def action_next_failed(self) -> None:
        """Select the next failed well."""
        if not self._grid.select_next(AxisState.FAILED):
            self.notify("No well has failed.")

    def action_cancel_well(self) -> None:
        """Ask, then cancel the selected well."""
        well = self._selected(self._board.view())
        if well is None or well.state.has_ended or self._board.view().stage is Stage.ENDED:
            self.notify("Only a waiting or running well can be cancelled.")
            return
        self._ask(f"Cancel well {well.axis_id}? The others continue.", well.axis_id)

    def action_cancel_run(self) -> None:
        """Ask, then cancel the execution."""
        if self._board.view().stage is Stage.ENDED:
            self.notify("The run has ended.")
            return
        self._ask("Cancel the whole run? Finished wells are kept.", None)

    def action_scroll_well(self, down: int) -> None:
        """Scroll the details of the selected well; a traceback is long."""
        well = self.query_one("#well", VerticalScroll)
        (well.scroll_page_down if down > 0 else well.scroll_page_up)(animate=False)

    def _ask(self, question: str, well: str | None) -> None:
        def on_answer(answer: bool | None) -> None:
            if answer:
                self._cancel(well)

        self.push_screen(Question(question), on_answer)

    @work
    async def _cancel(self, well: str | None) -> None:
        try:
            reply = await self._client.cancel(self._execution_id, well)
        except ZMQRuntimeError as error:
            self.notify(str(error), severity="error")
            return
        self.notify(reply.message, severity="information" if reply.status == "ok" else "warning")

    @work
    async def _follow(self) -> None:
        """Follow events until they end or the server is lost."""
        try:
            async with contextlib.aclosing(self._client.events(self._execution_id)) as events:
                async for event in events:
                    self._on_run_event(event)
        except ZMQRuntimeError as error:
            self._lost = str(error)
        self._draw()

    def _on_run_event(self, event: Event) -> None:
        self._board.apply(event)
        if isinstance(event, ProgressUpdate):
            self._steps.apply(event)
        if self._next_frame is None:
            self._next_frame = self.set_timer(_FRAME_SECONDS, self._draw)

    def _tick(self) -> None:
        """Update the elapsed time even when there are no events."""
        if self._board.view().stage is not Stage.ENDED and not self._lost:
            self._draw()

    def _draw(self) -> None:
        self._next_frame = None
        if not self._grid.is_attached:
            return  # a last frame while the app is exiting
        view = self._board.view()
        self._grid.show(view.wells)
        self._arrange()
        self.query_one("#status", Static).update(self._status(view))
        self._draw_well(view)

    def _arrange(self) -> None:
        """Put the details of the well below the plate if there is no room for both next to each other."""
        needed = self._grid.full_width + _WELL_COLUMNS
        self.query_one("#plate").set_class(self.size.width < needed, "-narrow")

    def _draw_well(self, view: BoardView) -> None:
        well = self._selected(view)
        details = self.query_one("#details", Static)
        if well is None:
            details.update("")
        else:
            details.update(well_details(well, self._steps.steps_of(well), self._steps.traceback_of(well)))

    def _selected(self, view: BoardView) -> AxisProgress | None:
        name = self._grid.selected
        return next((well for well in view.wells if well.axis_id == name), None)

    def _status(self, view: BoardView) -> Text:
        text = Text(f"{int(view.fraction * 100)} %  {plate_text(view)}")
        if view.stage is Stage.ENDED:
            text.append("  (the run has ended)")
        waiting = patience_text(self._client.client.standing)
        if self._lost:
            text.append(f"\n{self._lost}; showing the last known state", "red")
        elif waiting and view.stage is not Stage.ENDED:
            text.append(f"\n{waiting[:1].upper()}{waiting[1:]}", "yellow")
        text.append("\n")
        for state in AxisState:
            sign = well_sign(AxisProgress("", state, percent=50.0))
            text.append(f"{sign} {WELL_WORDS[state]}  ", WELL_STYLES[state])
        return text
