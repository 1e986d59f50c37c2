"""A well between two steps: its images, labels and measurements so far, and how they are written and read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import DamagedResultError, StepError
from openhcs_runtime.outputs.states import StateTree, StoredObjects, pixels_of
from openhcs_runtime.outputs.wells import OutputFile, ReadImage, describe_files
from openhcs_runtime.pipeline.calls import Measured, ObjectSet, SetKey
from openhcs_runtime.pipeline.cells import Cell, Column, ColumnKind, common_kind, is_missing, kind_of
from openhcs_runtime.pipeline.used_files import UsedFiles
from openhcs_runtime.plates import ImageRef
from openhcs_runtime.tables.image_objects import ImageObjects

Pixels: TypeAlias = ImageRef | NDArray[Any]
"""Pixels of an image: in the plate, or in memory."""


@dataclass(slots=True)
class WellState:
    """A well after some of its steps.

    Attributes:
        images: The images; those that no step has processed yet are references to the plate.
        labels: Labels of the images that have some.
        sets: Set of objects of each label image, by the function that found it.
        found: All labels so far by image and set, also those that others took the place of.
        names: Names that functions have given to sets.
        measured: Measurements of each image.
        kinds: Kind of each measured column, by table and column.
        objects: Measurements of the objects of each image.
        without_channel: Columns that do not depend on the channel, each with the name of its set, which is empty for
            measurements of images.
        files: Files that the steps have written, with their digests as far as they are known.
        read: Images that were read, by path and index.
        used: Other files that functions in another process have read for this well.
    """

    images: dict[ImageKey, Pixels]
    labels: dict[ImageKey, NDArray[Any]] = field(default_factory=dict)
    sets: dict[ImageKey, str] = field(default_factory=dict)
    found: dict[SetKey, NDArray[Any]] = field(default_factory=dict)
    names: dict[SetKey, str] = field(default_factory=dict)
    measured: dict[ImageKey, dict[str, Cell]] = field(default_factory=dict)
    kinds: dict[tuple[str, str], ColumnKind] = field(default_factory=dict)
    objects: dict[ImageKey, ImageObjects] = field(default_factory=dict)
    without_channel: set[tuple[str, str]] = field(default_factory=set)
    files: dict[str, OutputFile | None] = field(default_factory=dict)
    read: dict[tuple[str, tuple[int, ...]], ReadImage] = field(default_factory=dict)
    used: UsedFiles = field(default_factory=UsedFiles)

    @classmethod
    def restored(
        cls, tree: StateTree, files: Iterable[OutputFile], used: UsedFiles, plate: Mapping[ImageKey, ImageRef]
    ) -> "WellState":
        """Return the well of a state. All is read and checked at once, and takes as much memory as after these steps.

        Args:
            tree: The content of the state.
            files: Files that belong to the state.
            used: Other files that were read for it.
            plate: The images of the well in the plate.

        Raises:
            DamagedResultError: If it can't be read, or doesn't fit the images of the plate.
        """
        try:
            images = {key: plate[key] if pixels is None else pixels_of(pixels) for key, pixels in tree.images}
        except KeyError as error:
            raise DamagedResultError(f"a kept state has an image that the plate lacks: {error}") from error
        objects: dict[ImageKey, ImageObjects] = {}
        for stored in tree.objects:
            columns = {name: Column(kind, tuple(cells)) for name, (kind, cells) in stored.columns.items()}
            of_set = ObjectSet(stored.name, stored.found_in, stored.finder)
            objects.setdefault(stored.key, ImageObjects()).add(columns, of_set)
        return cls(
            images=images,
            labels={key: pixels_of(labels) for key, _, labels in tree.labels},
            sets={key: name for key, name, _ in tree.labels},
            found={(key, name): pixels_of(labels) for key, name, labels in tree.found},
            names={(key, name): given for key, name, given in tree.names},
            measured={key: dict(values) for key, values in tree.measured},
            kinds={(table, column): kind for table, column, kind in tree.kinds},
            objects=objects,
            without_channel=set(tree.without_channel),
            files={file.name: file for file in files},
            read={(image.path, image.index): image for image in tree.read},
            used=used,
        )

    def stored(self, *, with_images: bool) -> StateTree:
        """Return the content of a state, with or without the pixels of images."""
        images = [(key, None if isinstance(pixels, ImageRef) else pixels) for key, pixels in self.images.items()]
        return StateTree(
            images=images if with_images else [],
            labels=[(key, self.sets.get(key, ""), labels) for key, labels in self.labels.items()],
            found=[(key, name, labels) for (key, name), labels in self.found.items()],
            names=[(key, name, given) for (key, name), given in self.names.items()],
            measured=[(key, dict(values)) for key, values in self.measured.items()],
            kinds=[(table, column, kind) for (table, column), kind in self.kinds.items()],
            objects=[
                StoredObjects(
                    key,
                    name,
                    of_image.set_of(name).found_in,
                    of_image.set_of(name).finder,
                    {column: (cells.kind, list(cells.cells)) for column, cells in table.items()},
                )
                for key, of_image in self.objects.items()
                for name, table in of_image.tables.items()
            ],
            without_channel=sorted(self.without_channel),
            read=list(self.read.values()),
        )

    def measure(self, measured: Measured) -> None:
        """Add measurements.

        Raises:
            StepError: If a column was measured before with other values, or has values of another kind.
        """
        key, objects = measured.key, measured.objects
        values = self.measured.setdefault(key, {})
        known = self.objects.get(key)
        again = known is not None and known.has(objects)
        for name, value in measured.summary.items():
            if name in values and not (again and _same(values[name], value)):
                raise StepError(f"column {name} was measured twice for {key.describe()}: rename one of them")
            values[name] = value
        self._check_kinds("measurements", {name: kind_of([value]) for name, value in measured.summary.items()})
        self._check_kinds(objects.name, {name: column.kind for name, column in measured.table.items()})
        self.without_channel.update(("", name) for name in measured.without_channel & measured.summary.keys())
        if measured.table:
            self.without_channel.update(
                (objects.name, name) for name in measured.without_channel & measured.table.keys()
            )
            self._check_set_name(objects.name)
            try:
                self.objects.setdefault(key, ImageObjects()).add(measured.table, objects)
            except ValueError as error:
                raise StepError(f"{error} for {key.describe()}") from error

    def _check_set_name(self, name: str) -> None:
        """Check that no other set of objects has a name that only differs in case, as their tables are files."""
        for of_image in self.objects.values():
            for other in of_image.tables:
                if other != name and other.casefold() == name.casefold():
                    raise StepError(f"objects are named {other} and {name}: give one of them another name")

    def described_files(self, output_dir: Path) -> list[OutputFile]:
        """Return all files with size and digest; each file is read once.

        Raises:
            OutputError: If a file can't be read.
        """
        new = describe_files(output_dir, [name for name, known in self.files.items() if known is None])
        self.files.update((file.name, file) for file in new)
        return [file for file in self.files.values() if file is not None]

    def _check_kinds(self, table: str, new: Mapping[str, ColumnKind]) -> None:
        """Check that each column has the same kind in all images of the well."""
        for name, kind in new.items():
            known = self.kinds.get((table, name), ColumnKind.EMPTY)
            common = common_kind(known, kind)
            if common is None:
                raise StepError(f"column {name} of {table} has {known} and then {kind}: return values of one kind")
            self.kinds[table, name] = common


def _same(one: Cell, other: Cell) -> bool:
    return (type(one) is type(other) and one == other) or (is_missing(one) and is_missing(other))
