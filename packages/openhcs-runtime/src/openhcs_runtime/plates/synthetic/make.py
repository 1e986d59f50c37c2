"""Makes plates with known truth, of fluorescent nuclei, in any format."""

import contextlib
import csv
import os
from collections.abc import Iterable, Iterator
from itertools import islice, product
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import choose
from openhcs_runtime.components import ImageKey, well_name
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateFormat
from openhcs_runtime.plates.synthetic.camera import Frame, compose, planes
from openhcs_runtime.plates.synthetic.layouts import PlatePlan, layout_for
from openhcs_runtime.plates.synthetic.scene import Look

PIXEL_SIZE_UM = 0.65
TRUTH_LABELS = "truth_labels.npz"
_GRIDS = ((8, 12), (16, 24), (32, 48))


def make_plate(
    folder: str | os.PathLike[str],
    *,
    wells: int = 6,
    sites: int = 2,
    channels: int = 2,
    z: int = 1,
    size: int = 512,
    seed: int = 0,
    timepoints: int = 1,
    format: PlateFormat | str = PlateFormat.IMAGEXPRESS,
    look: Look = Look(),  # noqa: B008  frozen
    truth_labels: bool = False,
) -> Path:
    """Write a plate of `wells` wells, A01, A02 ... along the rows of the smallest of a 96, 384 and 1536 grid that fits.

    Each image is `size` x `size` uint16: channel 1 shows nuclei, the others cytoplasm. With `z` > 1 planes blur with
    their distance from the middle one. `truth.csv` (well, site, nuclei; with several time points also timepoint) tells
    how many nuclei are in each frame. The same arguments give the same pixels; as TIFF, the same bytes.

    look: size, crowding, haze and other difficulties of the nuclei. truth_labels: also write `truth_labels.npz`, which
    holds the true label image (int32, (Y, X)) of each frame under names such as `A01_s1_t1`.

    Returns the folder. Raises PlateError when the arguments make no plate or the folder is not empty.
    """
    target = Path(folder).expanduser()
    _check(wells=wells, sites=sites, channels=channels, z=z, size=size, timepoints=timepoints)
    if seed < 0:
        raise PlateError(f"seed {seed} is negative: give a number from 0")
    try:
        plate_format = choose(PlateFormat, format, "format of plates")
    except ValueError as error:
        raise PlateError(str(error)) from None
    try:
        if target.exists() and not target.is_dir():
            raise PlateError(f"{target} is a file: name a new folder")
        if target.exists() and any(target.iterdir()):
            raise PlateError(f"{target} exists and is not empty: name a new folder")
        target.mkdir(parents=True, exist_ok=True)
        positions = list(_positions(wells))
        layout = layout_for(
            plate_format,
            PlatePlan(
                folder=target,
                name=target.resolve().name,
                wells=tuple(well_name(*position) for position in positions),
                sites=sites,
                channels=channels,
                z=z,
                timepoints=timepoints,
                size=size,
                pixel_size_um=PIXEL_SIZE_UM,
            ),
        )
        truth: list[tuple[str, int, int, int]] = []
        with contextlib.ExitStack() as stack:
            labels = stack.enter_context(ZipFile(target / TRUTH_LABELS, "w", ZIP_DEFLATED)) if truth_labels else None
            for row, column in positions:
                well = well_name(row, column)
                frames = _well_frames([seed, row, column], well, look, layout.plan)
                layout.write_well(well, _well_images(frames, truth, labels, layout.plan))
        layout.finish()
        truth.sort(key=lambda entry: entry[2])
        _write_truth(target / "truth.csv", truth, with_timepoint=timepoints > 1)
    except OSError as error:
        raise PlateError(
            f"the plate can't be written to {target}: {error.strerror or error} (choose another folder, or make room)"
        ) from error
    return target


def _check(**numbers: int) -> None:
    limits = {"wells": 1536, "sites": 999, "channels": 99, "z": 999, "size": 16384, "timepoints": 9999}
    lowest = {"size": 32}
    for name, number in numbers.items():
        low, high = lowest.get(name, 1), limits[name]
        if not low <= number <= high:
            raise PlateError(f"{name} {number} makes no plate: give a number from {low} to {high}")


def _positions(wells: int) -> Iterator[tuple[int, int]]:
    rows, columns = next(grid for grid in _GRIDS if grid[0] * grid[1] >= wells)
    return islice(product(range(rows), range(columns)), wells)


def _well_frames(
    seed: list[int], well: str, look: Look, plan: PlatePlan
) -> Iterator[tuple[tuple[str, int, int], np.random.Generator, Frame]]:
    """Well, site and time point of each frame of a well, its random numbers, and what is in it."""
    for site, timepoint in product(range(1, plan.sites + 1), range(1, plan.timepoints + 1)):
        rng = np.random.default_rng([*seed, site, timepoint])
        yield (well, site, timepoint), rng, compose(rng, plan.size, look)


def _well_images(
    frames: Iterable[tuple[tuple[str, int, int], np.random.Generator, Frame]],
    truth: list[tuple[str, int, int, int]],
    labels: ZipFile | None,
    plan: PlatePlan,
) -> Iterator[tuple[ImageKey, NDArray[np.uint16]]]:
    """The images of a well, site by site; the truth of each frame is kept."""
    for (well, site, timepoint), rng, frame in frames:
        truth.append((well, site, timepoint, len(frame.things)))
        if labels is not None:
            with labels.open(f"{well}_s{site}_t{timepoint}.npy", "w") as file:
                np.save(file, frame.labels())
        for channel, plane, image in planes(rng, frame, channels=plan.channels, z=plan.z):
            yield ImageKey(well, site, channel, plane, timepoint), image


def _write_truth(path: Path, truth: list[tuple[str, int, int, int]], *, with_timepoint: bool) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("well", "site", "timepoint", "nuclei") if with_timepoint else ("well", "site", "nuclei"))
        for well, site, timepoint, nuclei in truth:
            writer.writerow((well, site, timepoint, nuclei) if with_timepoint else (well, site, nuclei))
