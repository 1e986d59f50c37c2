"""Synthetic plates of fluorescent nuclei with known ground truth, in any format."""

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
from openhcs_runtime.made_format import MadeFormat
from openhcs_runtime.plates.synthetic.camera import Frame, compose, planes
from openhcs_runtime.plates.synthetic.layouts import LAYOUTS
from openhcs_runtime.plates.synthetic.plan import PlatePlan
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
    format: MadeFormat | str = MadeFormat.IMAGEXPRESS,
    look: Look = Look(),  # noqa: B008  frozen
    truth_labels: bool = False,
) -> Path:
    """Write a synthetic plate of fluorescent nuclei with known ground truth.

    Images are uint16 arrays of ``size`` x ``size`` pixels: channel 1 shows nuclei, the other channels cytoplasm. With
    ``z`` > 1, planes are blurred according to their distance from the middle plane. ``truth.csv`` (well, site, nuclei;
    with several time points also timepoint) has the number of nuclei in each frame. The same arguments produce the same
    pixels and, for TIFF, the same bytes.

    Args:
        folder: Where to write the plate; must be empty if it exists.
        wells: Number of wells, A01, A02 ... along the rows of the smallest plate (96, 384 or 1536 wells) that fits.
        sites: Number of sites per well.
        channels: Number of channels.
        z: Number of planes.
        size: Edge length of an image in pixels.
        seed: Seed of the random numbers, 0 or greater.
        timepoints: Number of time points.
        format: Format of the plate.
        look: Size, crowding, haze and other difficulties of the nuclei.
        truth_labels: Also write ``truth_labels.npz`` with the true label image (int32, (Y, X)) of each frame, under
            names such as ``A01_s1_t1``.

    Returns:
        The plate folder.

    Raises:
        PlateError: If an argument is out of range or the folder is not empty.
    """
    target = Path(folder).expanduser()
    _check(wells=wells, sites=sites, channels=channels, z=z, size=size, timepoints=timepoints)
    if seed < 0:
        raise PlateError(f"seed {seed} is negative: choose 0 or greater")
    try:
        made_format = choose(MadeFormat, format, "plate format")
    except ValueError as error:
        raise PlateError(str(error)) from None
    try:
        if target.exists() and not target.is_dir():
            raise PlateError(f"{target} is a file: give a new folder")
        if target.exists() and any(target.iterdir()):
            raise PlateError(f"{target} exists and is not empty: give a new folder")
        positions = list(_positions(wells))
        layout = LAYOUTS[made_format](
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
        target.mkdir(parents=True, exist_ok=True)
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
            f"the plate can't be written to {target}: {error.strerror or error} (choose another folder, or free space)"
        ) from error
    return target


def _check(**numbers: int) -> None:
    limits = {"wells": 1536, "sites": 999, "channels": 99, "z": 999, "size": 16384, "timepoints": 9999}
    lowest = {"size": 32}
    for name, number in numbers.items():
        low, high = lowest.get(name, 1), limits[name]
        if not low <= number <= high:
            raise PlateError(f"{name} {number} is out of range: choose {low} to {high}")


def _positions(wells: int) -> Iterator[tuple[int, int]]:
    rows, columns = next(grid for grid in _GRIDS if grid[0] * grid[1] >= wells)
    return islice(product(range(rows), range(columns)), wells)


def _well_frames(
    seed: list[int], well: str, look: Look, plan: PlatePlan
) -> Iterator[tuple[tuple[str, int, int], np.random.Generator, Frame]]:
    """Yield well, site and time point of each frame of a well, its random numbers and its contents."""
    for site, timepoint in product(range(1, plan.sites + 1), range(1, plan.timepoints + 1)):
        rng = np.random.default_rng([*seed, site, timepoint])
        yield (well, site, timepoint), rng, compose(rng, plan.size, look)


def _well_images(
    frames: Iterable[tuple[tuple[str, int, int], np.random.Generator, Frame]],
    truth: list[tuple[str, int, int, int]],
    labels: ZipFile | None,
    plan: PlatePlan,
) -> Iterator[tuple[ImageKey, NDArray[np.uint16]]]:
    """Yield the images of a well, site by site, and collect the ground truth of each frame."""
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
