"""Wells between two steps: ``<output>/kept/<step>/<well>.state`` has all that the later steps of a well need.

A state is written after a step that is kept, and before a step over the plate. It is identified by the signature of the
steps before it (see ``openhcs_runtime.pipeline.run_basis.Prefixes``). It lists the files that these steps have written,
such as label images, and a run that begins with a state of an earlier run copies them. A state that is damaged is
reported and not used: its steps are computed again.
"""

import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import DamagedResultError
from openhcs_runtime.outputs.bundle import StoredArray, read_head, read_tree, write_bundle
from openhcs_runtime.outputs.wells import OutputFile, ReadImage, digest_of
from openhcs_runtime.pipeline.cells import Cell, ColumnKind
from openhcs_runtime.pipeline.plate_step import Step
from openhcs_runtime.pipeline.used_files import UsedFiles
from openhcs_runtime.results import StepCost
from openhcs_runtime.text import file_slug

KEPT = "kept"
_log = logging.getLogger(__name__)


class StateHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a state is, and which files belong to it.

    Attributes:
        well: name of the well.
        signature: signature of the well after these steps.
        seed: seed of the run that made it.
        run: name of the folder of the run that made it.
        has_images: whether the images were kept as well as the labels.
        files: files that the steps have written.
        used: other files that their functions have read.
    """

    well: str
    signature: str
    seed: int
    run: str = ""
    has_images: bool = True
    files: list[OutputFile] = []
    used: UsedFiles = UsedFiles()


class StoredObjects(msgspec.Struct, frozen=True):
    """Measurements of one set of objects of an image; each column with its kind."""

    key: ImageKey
    name: str
    found_in: ImageKey
    finder: str
    columns: dict[str, tuple[ColumnKind, list[Cell]]]


class StateTree(msgspec.Struct, kw_only=True):
    """The well itself.

    Attributes:
        images: pixels (Y, X) of each image; None for one that is as it was in the plate.
        labels: labels (Y, X) of each image that has some, and the set of objects.
        found: labels (Y, X) of all sets of objects so far.
        names: names that functions have given to sets of objects.
        measured: measurements of each image.
        kinds: kind of each measured column, by table and column.
        objects: measurements of the objects.
        without_channel: columns that do not depend on the channel, each with the name of its set.
        read: images that were read.
        steps: what the steps have cost.
        elapsed_s: processing time in seconds.
        reused_steps: number of steps that an earlier run has computed.
        reused_from: name of the folder of that run.
    """

    images: list[tuple[ImageKey, Any]]
    labels: list[tuple[ImageKey, str, Any]]
    measured: list[tuple[ImageKey, dict[str, Cell]]]
    kinds: list[tuple[str, str, ColumnKind]]
    objects: list[StoredObjects]
    read: list[ReadImage]
    found: list[tuple[ImageKey, str, Any]] = []
    names: list[tuple[ImageKey, str, str]] = []
    without_channel: list[tuple[str, str]] = []
    steps: tuple[StepCost, ...] = ()
    elapsed_s: float = 0.0
    reused_steps: int = 0
    reused_from: str = ""


def state_path(output_dir: Path, step: str, length: int, well: str) -> Path:
    """Return the path of a state.

    Args:
        output_dir: folder of the run.
        step: name of the last step.
        length: number of steps.
        well: name of the well.
    """
    return output_dir / KEPT / f"{length:02}_{file_slug(step)}" / f"{well}.state"


def write_state(path: Path, head: StateHead, tree: StateTree) -> None:
    """Write a state; it is not synced to disk, as it can be computed again.

    Raises:
        OutputError: it can't be written.
    """
    write_bundle(path, head, tree, sync=False)


def link_state(source: Path, target: Path) -> None:
    """Put a state of an earlier run into the folder of another one.

    Both have the same file where the file system can do that: a state is never changed, only replaced.

    Raises:
        OutputError: the file can't be written.
    """
    with writing_to(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:
            with atomic_file(target, sync=False) as writing, source.open("rb") as reading:
                shutil.copyfileobj(reading, writing)


def find_state(path: Path, signature: str, seed: int) -> StateHead | None:
    """Return the head of a state if it has this signature and seed and nothing that it was made from has changed."""
    head = state_head(path)
    if head is None or head.signature != signature or head.seed != seed:
        return None
    if changed := head.used.changed():
        _log.info("%s is not used: %s has changed", path, changed)
        return None
    return head


def state_head(path: Path) -> StateHead | None:
    """Return the head of a state; None if there is no state, or it is damaged, which is logged."""
    try:
        head: StateHead | None = read_head(path, StateHead)
    except DamagedResultError as error:
        _log.warning("%s: its steps are computed again", error)
        return None
    return head


def read_state(path: Path) -> StateTree:
    """Return the well of a state; pixels and labels are ``StoredArray``.

    Raises:
        DamagedResultError: it can't be read.
    """
    tree = read_tree(path, StateTree)
    assert isinstance(tree, StateTree)
    return tree


def remove_states(output_dir: Path, spared: Iterable[Path] = ()) -> None:
    """Remove the states that a complete run no longer needs, except for those in the folders ``spared``."""
    root, kept = output_dir / KEPT, set(spared)
    if not root.is_dir():
        return
    for folder in root.iterdir():
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)
    if not any(root.iterdir()):
        root.rmdir()


def kept_folders(output_dir: Path, steps: Sequence[Step]) -> list[Path]:
    """Return the folders with the states of the steps that are kept."""
    return [state_path(output_dir, step.name, index + 1, "").parent for index, step in enumerate(steps) if step.keep]


def intact(folder: Path, files: Iterable[OutputFile]) -> bool:
    """Return whether all files of a state are as they were written."""
    for file in files:
        try:
            if digest_of(folder / file.name) != file.digest:
                return False
        except OSError:
            return False
    return True


def pixels_of(value: object) -> Any:
    """Return an array of a state, which is read if it has not been read yet."""
    return value.load() if isinstance(value, StoredArray) else value
