"""The processor time of one image: by step of the built-in nuclei count, and by function inside of them."""

import cProfile
import itertools
import pstats
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from sheet import tell_table

from openhcs_runtime import make_plate
from openhcs_runtime.functions import max_projection, measure_objects, segment_nuclei, subtract_background

__all__ = ["tell_images"]

Plane = NDArray[np.generic]
SIZES = (1024, 2048)
LARGEST = 16
STEPS = "max_projection", "segment_nuclei", "subtract_background", "measure_objects"


def tell_images(images: int) -> None:
    """Print what an image of each size costs."""
    for size in SIZES:
        planes = list(_planes(images, size))
        _chain(planes[0])  # what is loaded or compiled at the first call
        measured = [_chain(plane) for plane in planes]
        steps = {name: statistics.median(times[name] for times in measured) for name in measured[0]}
        total = sum(steps.values())
        rows = [(name, 1e3 * seconds, 100 * seconds / total) for name, seconds in steps.items()]
        rows.append(("all", 1e3 * total, 100.0))
        tell_table(f"One image of {size} x {size}, steps", ("step", "CPU ms", "%"), rows)
        tell_table(f"One image of {size} x {size}, functions", ("function", "calls", "CPU ms"), _inside(planes))


def _planes(images: int, size: int) -> Iterator[Plane]:
    with tempfile.TemporaryDirectory() as folder:
        plate = make_plate(Path(folder, "plate"), wells=1, sites=images, channels=1, size=size, seed=1)
        for path in sorted(plate.rglob("*.tif")):
            yield tifffile.imread(path)


def _chain(plane: Plane) -> dict[str, float]:
    """Run the steps and return the seconds of processor time of each."""
    stack = plane[np.newaxis]
    times = [time.process_time()]
    max_projection(stack)
    times.append(time.process_time())
    _, labels = segment_nuclei(stack)
    times.append(time.process_time())
    even = subtract_background(stack, radius_px=200.0)
    times.append(time.process_time())
    measure_objects(even, labels=labels, pixel_size_um=None)
    times.append(time.process_time())
    seconds = (after - before for before, after in itertools.pairwise(times))
    return dict(zip(STEPS, seconds, strict=True))


def _inside(planes: Sequence[Plane]) -> list[tuple[str, str, float]]:
    profile = cProfile.Profile(time.process_time)
    for plane in planes:
        profile.runcall(_chain, plane)
    rows = []
    for name, cost in pstats.Stats(profile).get_stats_profile().func_profiles.items():
        module = "" if cost.file_name == "~" else f"{Path(cost.file_name).stem}."
        rows.append((f"{module}{name}", cost.ncalls, 1e3 * cost.tottime / len(planes)))
    return sorted(rows, key=lambda row: -row[2])[:LARGEST]
