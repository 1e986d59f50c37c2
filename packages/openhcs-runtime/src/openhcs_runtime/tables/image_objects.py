"""The measurements of the objects of one image, by set of objects."""

from collections.abc import Mapping, Sequence

from openhcs_runtime.pipeline.calls import ObjectSet
from openhcs_runtime.pipeline.cells import LABEL, Cell, CellError, Column, ColumnKind, is_missing, kind_of


class ImageObjects:
    """Measurements of the objects of one image: one table per set of objects, one row per object."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Column]] = {}
        self._sets: dict[str, ObjectSet] = {}

    def has(self, objects: ObjectSet) -> bool:
        """Return whether these objects have been measured before."""
        return self._sets.get(objects.name) == objects

    def set_of(self, name: str) -> ObjectSet:
        """Return the set of objects with this name."""
        return self._sets[name]

    def add(self, new: Mapping[str, Column], objects: ObjectSet) -> None:
        """Add columns, including ``label``, for the objects of a set.

        Raises:
            ValueError: another set of objects has the same name, or a column already exists with other values.
        """
        name, found_in = objects.name, objects.found_in
        known_set = self._sets.setdefault(name, objects)
        if known_set.found_in != found_in:
            raise ValueError(
                f"objects of {name} found in channel {known_set.found_in.channel} and others found in channel "
                f"{found_in.channel} can't be told apart"
            )
        if known_set != objects:
            raise ValueError(
                f"two sets of objects, {known_set.finder} and {objects.finder}, are both named {name}: give one of "
                "them another name"
            )
        known = self.tables.get(name)
        self.tables[name] = dict(new) if known is None else _joined(known, new)


def _joined(known: Mapping[str, Column], new: Mapping[str, Column]) -> dict[str, Column]:
    """Return one table with the objects and columns of both."""
    rows = {label: place for place, label in enumerate(known[LABEL].cells)}
    new_rows = {label: place for place, label in enumerate(new[LABEL].cells)}
    same_rows = known[LABEL].cells == new[LABEL].cells
    labels = sorted(rows.keys() | new_rows.keys(), key=lambda label: label if isinstance(label, int) else 0)
    joined = {LABEL: Column(ColumnKind.INT if labels else ColumnKind.EMPTY, tuple(labels))}
    for name in dict.fromkeys([*known, *new]):
        if name == LABEL:
            continue
        if same_rows and (name in known) != (name in new):
            joined[name] = known[name] if name in known else new[name]
            continue
        one = _spread(known.get(name), rows, labels)
        other = _spread(new.get(name), new_rows, labels)
        cells = tuple(second if is_missing(first) else first for first, second in zip(one, other, strict=True))
        if any(not is_missing(second) and cell != second for cell, second in zip(cells, other, strict=True)):
            raise ValueError(f"column {name} of objects was measured twice with different values")
        try:
            joined[name] = Column(kind_of(cells), cells)
        except CellError as error:
            raise ValueError(f"column {name} of objects {error}") from None
    return joined


def _spread(column: Column | None, rows: Mapping[Cell, int], labels: Sequence[Cell]) -> Sequence[Cell]:
    """Return the cells of a column for these labels."""
    if column is None:
        return (None,) * len(labels)
    if len(rows) == len(labels) and tuple(rows) == tuple(labels):
        return column.cells
    return [column.cells[rows[label]] if label in rows else None for label in labels]
