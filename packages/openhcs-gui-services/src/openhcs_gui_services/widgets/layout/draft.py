"""A plate in the layout editor: its map on disk, its edits, and how it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openhcs_gui_services.exceptions import LayoutError
from openhcs_gui_services.services.layout.edits import LayoutEdits
from openhcs_gui_services.services.layout.file import LayoutFile, own_place
from openhcs_gui_services.services.layout.shapes import PlateShape, shape_for

__all__ = ["LayoutDraft"]


@dataclass(slots=True)
class LayoutDraft:
    """What the editor knows of a plate.

    Attributes:
        name: name of the plate.
        wells: wells of the plate that have images; empty if they are not known.
        layout: the map on disk.
        edits: the map as it is edited.
        column: the column that is shown; "" for none.
        shape: the format of the plate.
    """

    name: str
    wells: Sequence[str]
    layout: LayoutFile
    edits: LayoutEdits = field(init=False)
    column: str = field(init=False)
    shape: PlateShape = field(init=False)

    def __post_init__(self) -> None:
        self.edits = LayoutEdits(self.layout.table)
        self.column = next(iter(self.layout.table.columns), "compound")
        self.shape = shape_for([*self.wells, *self.layout.table.wells])

    @property
    def path(self) -> Path:
        """The file that the layout is for."""
        if self.layout.path is not None:
            return self.layout.path
        try:
            return own_place(self.layout.plate)
        except LayoutError:
            return Path("platemap.csv")

    @property
    def place_text(self) -> str:
        """Where the layout is, in a few words."""
        changed = ", not saved" if self.edits.is_modified else ""
        if self.layout.path is None:
            return f"{self.name}: no plate map yet{changed}"
        shared = ", shared by the plates of its folder" if self.layout.is_shared else ""
        return f"{self.name}: {self.layout.path.name}{shared}{changed}"

    def fit(self) -> None:
        """Show a larger plate if the layout or the plate has wells that this one lacks."""
        least = shape_for([*self.wells, *self.edits.table.wells])
        if least.size > self.shape.size:
            self.shape = least
