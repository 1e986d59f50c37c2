"""Values of steps over the plate on disk: ``<output>/plate/<step>.value``, and their images as TIFF next to it."""

import functools
import logging
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.atomic import sync_files
from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import DamagedResultError
from openhcs_runtime.outputs.bundle import StoredArray, digest_of_tree, read_head, read_tree, write_bundle
from openhcs_runtime.outputs.images import write_plane
from openhcs_runtime.outputs.states import intact
from openhcs_runtime.outputs.wells import OutputFile, describe_files
from openhcs_runtime.pipeline.basis import digest
from openhcs_runtime.pipeline.decorators import PlateOutput
from openhcs_runtime.pipeline.plate_values import PlateValue
from openhcs_runtime.pipeline.used_files import UsedFiles
from openhcs_runtime.results import StepCost
from openhcs_runtime.text import file_slug

PLATE_FOLDER = "plate"
_PLANE_DIMENSIONS = 2
_log = logging.getLogger(__name__)


class ValueRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a value is, and what it was made from.

    Attributes:
        step: name of the step over the plate.
        name: name of the value.
        per: the component it has entries for.
        maker: name of the function that made it.
        signature: changes with the function, its arguments, and the wells.
        content: digest of the value itself.
        seed: seed of the run that made it.
        wells: wells that it was made from.
        files: its images, as files.
        used: other files that the function has read.
        cost: what the step has cost.
    """

    step: str
    name: str
    per: Component | None
    maker: str
    signature: str
    content: str
    seed: int
    wells: list[str]
    files: list[OutputFile]
    used: UsedFiles
    cost: StepCost

    @property
    def identity(self) -> str:
        """What results depend on that were made with the value: it may come out differently from the same inputs."""
        return digest([self.signature, self.content])


def value_path(output_dir: Path, step: str, index: int) -> Path:
    """Return the path of the value made by the step with this index."""
    return output_dir / PLATE_FOLDER / f"{index + 1:02}_{file_slug(step)}.value"


def write_images(output_dir: Path, value: PlateValue, pixel_size_um: float | None) -> list[OutputFile]:
    """Write the planes of a value as TIFF files, one for each value of the component it has entries for.

    Raises:
        OutputError: a file can't be written.
    """
    content, per = value.content, value.output.per
    planes = content if isinstance(content, dict) and per is not None else {"": content}
    names = []
    for entry, plane in planes.items():
        if isinstance(plane, np.ndarray) and plane.ndim == _PLANE_DIMENSIONS and plane.size:
            suffix = f"_{per}_{entry}" if per is not None else ""
            names.append(f"{PLATE_FOLDER}/{value.output.name}{suffix}.tif")
            write_plane(output_dir / names[-1], plane, pixel_size_um)
    sync_files(output_dir / name for name in names)
    return describe_files(output_dir, names)


def write_value(path: Path, record: ValueRecord, value: PlateValue) -> None:
    """Write a value, once its images are on disk.

    Raises:
        OutputError: it can't be written.
    """
    write_bundle(path, record, value.content, sync=True)


def value_record(path: Path) -> ValueRecord | None:
    """Return the record of a value; None if there is no value, or it is damaged, which is logged."""
    try:
        record: ValueRecord | None = read_head(path, ValueRecord)
    except DamagedResultError as error:
        _log.warning("%s: it is made again", error)
        return None
    return record


def find_value(path: Path, signature: str, seed: int) -> ValueRecord | None:
    """Return the record of a value if it has this signature and seed and nothing that it was made from has changed."""
    record = value_record(path)
    if record is None or record.signature != signature or record.seed != seed or record.used.changed():
        return None
    try:
        read_value(path, record.identity)
    except DamagedResultError as error:
        _log.warning("%s: it is made again", error)
        return None
    return record if intact(path.parent.parent, record.files) else None


@functools.lru_cache(maxsize=8)
def read_value(path: Path, identity: str) -> PlateValue:
    """Read a value; the last ones are cached.

    Raises:
        DamagedResultError: it can't be read, or is another one.
    """
    record: ValueRecord | None = read_head(path, ValueRecord)
    if record is None or record.identity != identity:
        raise DamagedResultError(f"{path} was removed or changed during the run: resume the run")
    output = PlateOutput(record.name, record.per)
    content = _with_arrays(read_tree(path, Any))
    if digest_of_tree(content) != record.content:
        raise DamagedResultError(f"{path} is not the value that its record describes")
    return PlateValue(output, content, record.maker)


def _with_arrays(tree: Any) -> Any:
    if isinstance(tree, StoredArray):
        array: NDArray[Any] = tree.load()
        return array
    if isinstance(tree, dict):
        return {key: _with_arrays(entry) for key, entry in tree.items()}
    return [_with_arrays(entry) for entry in tree] if isinstance(tree, list) else tree
