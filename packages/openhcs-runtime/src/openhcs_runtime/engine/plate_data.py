"""What the function of a step over the plate gets: the images, labels and measurements of all wells."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import StepError
from openhcs_runtime.outputs.states import StateTree, StoredObjects, pixels_of, read_state
from openhcs_runtime.pipeline.cells import LABEL, OBJECTS, Cell
from openhcs_runtime.pipeline.plan import PlateJob, WellPlan
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.plate_map import PlateMap, find_plate_map, plate_map_places, read_plate_map
from openhcs_runtime.plates import ImageRef, read_image
from openhcs_runtime.stores.path import as_path
from openhcs_runtime.tables.measurements import KEY_COLUMNS


@dataclass(frozen=True, slots=True)
class PlateImage:
    """An image of a well, as the step before has left it.

    Attributes:
        key: Its well, site, channel, plane and time point.
    """

    key: ImageKey
    _pixels: Callable[[], NDArray[Any]] = field(repr=False)
    _labels: Callable[[], NDArray[Any] | None] = field(repr=False)

    def read(self) -> NDArray[Any]:
        """Read its pixels (Y, X).

        Raises:
            ImageError: If it can't be read.
            TaskCancelled: If the run was cancelled.
        """
        return self._pixels()

    def labels(self) -> NDArray[Any] | None:
        """Read its labels (Y, X); None if it has none.

        Raises:
            TaskCancelled: If the run was cancelled.
        """
        return self._labels()


class PlateData:
    """All wells that have passed the steps before a step over the plate.

    Nothing is read before it is asked for, and nothing is kept, so that a plate of any size fits into memory.

    Args:
        job: The steps and what the wells have in common.
        plans: The wells, in plate order.
        states: The file with the state of each well; none if no step comes before.
        on_read: Called after each image that was read, and raises ``TaskCancelled`` to stop.
    """

    def __init__(
        self,
        job: PlateJob,
        plans: Sequence[WellPlan],
        states: Mapping[str, str],
        on_read: Callable[[], None] = lambda: None,
    ) -> None:
        self._job = job
        self._plans = plans
        self._states = states
        self._on_read = on_read

    @property
    def wells(self) -> tuple[str, ...]:
        """The names of the wells, in plate order."""
        return tuple(plan.well for plan in self._plans)

    @property
    def pixel_size_um(self) -> float | None:
        """Edge length of a pixel in micrometres; None if the plate does not have it."""
        return self._job.pixel_size_um

    @property
    def channel_names(self) -> Mapping[int, str]:
        """Names of the channels that have one."""
        return dict(self._job.channel_names)

    def plate_map(self) -> PlateMap:
        """Read the plate map: the one that was given (``--platemap``), or the one in the plate folder or next to it.

        Raises:
            PlateMapError: If there is none, or it can't be read.
        """
        if self._job.plate_map:
            return read_plate_map(Path(self._job.plate_map))
        plate = as_path(self._job.plate_path)
        for places in plate_map_places(plate) if isinstance(plate, Path) else ():
            for path in places:
                read_recorder().note(path)  # one that appears later may come before the one that is read
        return read_plate_map(find_plate_map(plate))

    def images(
        self,
        *,
        well: str | None = None,
        site: int | None = None,
        channel: int | None = None,
        z_index: int | None = None,
        timepoint: int | None = None,
    ) -> Iterator[PlateImage]:
        """Yield the images, in the order of their keys, or only those with these components."""
        wanted = {
            Component.SITE: site,
            Component.CHANNEL: channel,
            Component.Z_INDEX: z_index,
            Component.TIMEPOINT: timepoint,
        }
        chosen = [(component, value) for component, value in wanted.items() if value is not None]
        for plan in self._plans:
            if well is None or plan.well == well:
                yield from (
                    image
                    for image in self._images_of(plan)
                    if all(image.key.value(component) == value for component, value in chosen)
                )

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels of the images."""
        return tuple(sorted({image.key.channel for image in self.images()}))

    def measurements(self) -> dict[str, NDArray[Any]]:
        """Return the measurements of the images so far: one array per column, with one value for each image.

        The first columns are well, site, channel, z_index and timepoint. Columns of numbers are float64, with NaN for
        values that are missing; others are arrays of objects.
        """
        rows: list[tuple[ImageKey, dict[str, Cell]]] = []
        for tree in self._trees():
            rows.extend(sorted(tree.measured, key=lambda measured: measured[0]))
        names = dict.fromkeys(name for _, values in rows for name in values)
        return {
            **_key_columns([key for key, _ in rows]),
            **{name: _column([values.get(name) for _, values in rows]) for name in names},
        }

    def objects(self, name: str | None = None) -> dict[str, NDArray[Any]]:
        """Return the measurements of the objects so far: one array per column, with one value for each object.

        The first columns are those of :meth:`measurements`, objects (the name of the set) and label.

        Args:
            name: Only objects of this set.

        Raises:
            StepError: If there is no set with this name.
        """
        stored = [each for tree in self._trees() for each in sorted(tree.objects, key=lambda each: each.key)]
        if name is not None and name not in {each.name for each in stored}:
            known = ", ".join(dict.fromkeys(each.name for each in stored)) or "none"
            raise StepError(f"no objects {name!r} were measured before this step (only {known})")
        return _object_columns([each for each in stored if name is None or each.name == name])

    def _images_of(self, plan: WellPlan) -> Iterator[PlateImage]:
        refs = {image.key: image for image in plan.images}
        if plan.well not in self._states:
            for key in sorted(refs):
                yield PlateImage(key, self._reader(refs[key]), lambda: None)
            return
        tree = self._tree(plan.well)
        labels = {key: pixels for key, _, pixels in tree.labels}
        for key, pixels in sorted(tree.images, key=lambda image: image[0]):
            yield PlateImage(key, self._reader(refs[key] if pixels is None else pixels), self._reader(labels.get(key)))

    def _reader(self, source: object) -> Callable[[], Any]:
        def read() -> Any:
            self._on_read()
            if isinstance(source, ImageRef):
                with read_recorder().paused():
                    return read_image(self._job.plate_format, source)
            with read_recorder().paused():
                return pixels_of(source)

        return read

    def _trees(self) -> Iterator[StateTree]:
        yield from (self._tree(plan.well) for plan in self._plans if plan.well in self._states)

    def _tree(self, well: str) -> StateTree:
        with read_recorder().paused():
            return read_state(Path(self._states[well]))


def _key_columns(keys: Sequence[ImageKey]) -> dict[str, NDArray[Any]]:
    return {
        name: np.array([key.value(Component(name)) for key in keys], object if name == Component.WELL else np.int64)
        for name in KEY_COLUMNS
    }


def _object_columns(stored: Sequence[StoredObjects]) -> dict[str, NDArray[Any]]:
    sizes = [len(each.columns[LABEL][1]) for each in stored]
    keys = [each.key for each, size in zip(stored, sizes, strict=True) for _ in range(size)]
    sets = [each.name for each, size in zip(stored, sizes, strict=True) for _ in range(size)]
    names = dict.fromkeys([LABEL, *(name for each in stored for name in each.columns)])
    columns = {
        name: _column(
            [
                cell
                for each, size in zip(stored, sizes, strict=True)
                for cell in (each.columns[name][1] if name in each.columns else [None] * size)
            ]
        )
        for name in names
    }
    return {**_key_columns(keys), OBJECTS: np.array(sets, object), **columns}


def _column(cells: Sequence[Cell]) -> NDArray[Any]:
    if all(cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool)) for cell in cells):
        return np.array([np.nan if cell is None else cell for cell in cells], np.float64)
    return np.array(cells, object)
