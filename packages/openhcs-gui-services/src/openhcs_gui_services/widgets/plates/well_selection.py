"""Which wells of a plate map are selected, and which one is the current one. Without Qt."""

from collections.abc import Iterable, Mapping

from openhcs_gui_services.widgets.plates.well_texts import MapLayout

__all__ = ["WellSelection"]

Place = tuple[int, int]


class WellSelection:
    """The selected wells, the current well, and the anchor from which a range is selected.

    The current well is usually one of the selected ones; it is not after it has been toggled off.
    """

    def __init__(self) -> None:
        self._places: Mapping[Place, str] = {}
        self._place_of: dict[str, Place] = {}
        self._selected: set[str] = set()
        self._anchor: str | None = None
        self.current: str | None = None

    def set_layout(self, layout: MapLayout) -> None:
        """Use the wells of another layout; wells that it does not have are no longer selected."""
        self._places = layout.places
        self._place_of = {name: place for place, name in layout.places.items()}
        self._selected &= self._place_of.keys()
        self._anchor = self._known(self._anchor)
        self.current = self._known(self.current)
        if self.current is None:
            self.current = next(iter(self.wells), None)

    @property
    def wells(self) -> tuple[str, ...]:
        """The selected wells, row by row."""
        return tuple(sorted(self._selected, key=self._place_of.__getitem__))

    def __contains__(self, name: object) -> bool:
        return name in self._selected

    def __len__(self) -> int:
        return len(self._selected)

    def only(self, name: str | None) -> None:
        """Select one well, or none."""
        self.current = self._anchor = self._known(name)
        self._selected = set() if self.current is None else {self.current}

    def these(self, names: Iterable[str], current: str | None = None) -> None:
        """Select these wells; the current one is ``current``, or else stays if it is among them, or is the first."""
        found = [name for name in names if name in self._place_of]
        self._selected = set(found)
        wanted = self._known(current) or (self.current if self.current in self._selected else None)
        self.current = self._anchor = wanted or next(iter(found), None)

    def toggle(self, name: str) -> None:
        """Select a well if it is not selected, else deselect it; it becomes the current one."""
        self._selected ^= {name}
        self.current = self._anchor = name

    def move_to(self, name: str) -> None:
        """Make a well the current one; the selected wells stay."""
        self.current = self._anchor = name

    def extend_to(self, name: str, *, keep: Iterable[str] = ()) -> None:
        """Select the rectangle from the anchor to a well, and ``keep``; the well becomes the current one."""
        anchor = self._anchor or self.current or name
        self._anchor, self.current = anchor, name
        self._selected = {*keep, *self._rectangle(anchor, name)}

    def row(self, row: int) -> list[str]:
        """Return the wells of a row, from 0."""
        return [self._places[place] for place in sorted(self._places) if place[0] == row]

    def column(self, column: int) -> list[str]:
        """Return the wells of a column, from 0."""
        return [self._places[place] for place in sorted(self._places) if place[1] == column]

    def all(self) -> list[str]:
        """Return all wells, row by row."""
        return [self._places[place] for place in sorted(self._places)]

    def _rectangle(self, one: str, other: str) -> Iterable[str]:
        (row, column), (to_row, to_column) = self._place_of[one], self._place_of[other]
        rows, columns = sorted((row, to_row)), sorted((column, to_column))
        for each in range(rows[0], rows[1] + 1):
            for across in range(columns[0], columns[1] + 1):
                if (name := self._places.get((each, across))) is not None:
                    yield name

    def _known(self, name: str | None) -> str | None:
        return name if name in self._place_of else None
