"""The wells of a plate as a navigable grid, each a sign in the colour of its state."""

from collections.abc import Iterable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from openhcs_runtime.components import well_name, well_position
from openhcs_runtime.terminal.bars import WELL_STYLES
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["PlateGrid", "plate_shape", "well_sign"]

_SHAPES = ((2, 3), (4, 6), (8, 12), (16, 24), (32, 48))
"""Rows and columns of plates with 6, 24, 96, 384 and 1,536 wells (ANSI SLAS 4-2004)."""

_LABEL = 4
_NARROW_COLUMNS = 24
_LEVELS = "▁▂▃▄▅▆▇█"
_SIGNS = {
    AxisState.WAITING: "·",
    AxisState.COMPLETE: "■",
    AxisState.FAILED: "×",  # noqa: RUF001  the sign, which every terminal font has
    AxisState.CANCELLED: "-",
}
_DIM = Style(dim=True)

Position = tuple[int, int]


def plate_shape(positions: Iterable[Position]) -> Position:
    """Return rows and columns of the smallest standard plate with wells at these rows and columns, from 0."""
    last_row, last_column = 0, 0
    for row, column in positions:
        last_row, last_column = max(last_row, row), max(last_column, column)
    return next((shape for shape in _SHAPES if last_row < shape[0] and last_column < shape[1]), _SHAPES[-1])


def well_sign(well: AxisProgress) -> str:
    """Return one character that shows the state without colour; a running well fills up."""
    if well.state is AxisState.RUNNING:
        return _LEVELS[min(len(_LEVELS) - 1, int(well.fraction * len(_LEVELS)))]
    return _SIGNS[well.state]


class PlateGrid(ScrollView, can_focus=True):
    """A grid of wells, selectable with the arrow keys or the mouse; labels stay in place when it scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "move(0, 1)", "Select", key_display="←↑↓→"),
        Binding("left", "move(0, -1)", "Select", show=False),
        Binding("up", "move(-1, 0)", "Select", show=False),
        Binding("down", "move(1, 0)", "Select", show=False),
    ]

    class Selected(Message):
        """Another well was selected."""

        def __init__(self, well: str) -> None:
            super().__init__()
            self.well = well

    def __init__(self) -> None:
        super().__init__()
        self._wells: dict[Position, AxisProgress] = {}
        self._shape = plate_shape([])
        self._selected: Position | None = None
        self._resize()

    @property
    def selected(self) -> str | None:
        """The name of the selected well; None if there are no wells."""
        return None if self._selected is None else self._wells[self._selected].axis_id

    def show(self, wells: Iterable[AxisProgress]) -> None:
        """Show these wells; the selection is kept, and is initially the first well."""
        self._wells = {well_position(well.axis_id): well for well in wells}
        shape = plate_shape(self._wells)
        if shape != self._shape:
            self._shape = shape
            self._resize()
        if self._selected not in self._wells:
            self.select(min(self._wells, default=None))
        self.refresh()

    def select(self, position: Position | None) -> None:
        """Select the well at this position, which must be shown."""
        self._selected = position
        if position is not None:
            self.call_after_refresh(self._bring_into_view, position)  # not before the bars are laid out
            self.post_message(self.Selected(self._wells[position].axis_id))
        self.refresh()

    def select_next(self, state: AxisState) -> bool:
        """Select the next well in this state, wrapping around; return False if there is none."""
        found = sorted(position for position, well in self._wells.items() if well.state is state)
        if not found:
            return False
        later = [position for position in found if self._selected is not None and position > self._selected]
        self.select((later or found)[0])
        return True

    def action_move(self, down: int, right: int) -> None:
        """Select the next well in that direction, if there is one."""
        if self._selected is None:
            return
        row, column = self._selected
        rows, columns = self._shape
        while 0 <= (row := row + down) < rows and 0 <= (column := column + right) < columns:
            if (row, column) in self._wells:
                self.select((row, column))
                return

    def on_click(self, event: events.Click) -> None:
        """Select the clicked well."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < 1 or offset.x < _LABEL:
            return
        position = offset.y - 1 + round(self.scroll_y), (offset.x - _LABEL + round(self.scroll_x)) // self._cell
        if position in self._wells:
            self.select(position)

    def render_line(self, y: int) -> Strip:
        """Return a visible line, for Textual."""
        left, width = round(self.scroll_x), self.size.width
        row = y - 1 + round(self.scroll_y)
        if y == 0:
            label, cells = " " * _LABEL, [Segment(self._column_label(column), _DIM) for column in range(self._shape[1])]
        elif row < self._shape[0]:
            name = well_name(row, 0).removesuffix("01")
            label, cells = f"{name:>{_LABEL - 1}} ", [self._cell_at((row, column)) for column in range(self._shape[1])]
        else:
            return Strip.blank(width, self.rich_style)
        body = Strip(cells).crop(left, left + max(0, width - _LABEL))
        line = Strip.join([Strip([Segment(label, _DIM)]), body]).adjust_cell_length(width)
        return line.apply_style(self.rich_style)

    @property
    def full_width(self) -> int:
        """The width of the whole plate in characters, if there is room."""
        columns = self._shape[1]
        return _LABEL + columns * (3 if columns <= _NARROW_COLUMNS else 2)

    @property
    def _cell(self) -> int:
        """The width of a well in characters."""
        has_room = not self.size.width or self.full_width <= self.size.width
        return 3 if has_room and self._shape[1] <= _NARROW_COLUMNS else 2

    def on_resize(self) -> None:
        """Make wells narrower or wider, as there is room."""
        self._resize()
        self.refresh()

    def _bring_into_view(self, position: Position) -> None:
        row, column = position
        region = Region(column * self._cell, row, self._cell + _LABEL, 2)
        self.scroll_to_region(region, animate=False, origin_visible=False)

    def _resize(self) -> None:
        rows, columns = self._shape
        self.virtual_size = Size(_LABEL + columns * self._cell, rows + 1)

    def _column_label(self, column: int) -> str:
        number = column + 1
        is_shown = self._cell > 2 or number == 1 or number % 5 == 0
        return (f"{number:>2}" if is_shown else "").ljust(self._cell)

    def _cell_at(self, position: Position) -> Segment:
        well = self._wells.get(position)
        if well is None:
            return Segment(" " * self._cell)
        style = Style.parse(WELL_STYLES[well.state])
        sign = well_sign(well)
        if position == self._selected:
            text = f"[{sign}]" if self._cell > 2 else f"{sign}<"
            return Segment(text, style + Style(bold=True, reverse=self.has_focus))
        return Segment(f" {sign} " if self._cell > 2 else f"{sign} ", style)
