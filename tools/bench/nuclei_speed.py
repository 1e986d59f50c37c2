"""Processor time of finding and measuring nuclei: ours with and without the extra ``fast``, beside scripts of others.

python tools/bench/nuclei_speed.py                      # images of 1024 and 2048 pixels, five rounds
python tools/bench/nuclei_speed.py --sizes 512 --rounds 1

All take turns with the same images in one process, with one thread. A row is the median of the rounds in milliseconds
of processor time for one image. The scripts do less: one threshold for the image and a watershed by shape only.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import edt
import numpy as np
import threadpoolctl
from numpy.typing import NDArray
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import label, regionprops_table
from skimage.morphology import opening
from skimage.segmentation import watershed

from openhcs_runtime.functions import denoise, measure_objects, segment_nuclei, subtract_background
from openhcs_runtime.functions.kernels import PLAIN, Backend, installed, using
from openhcs_runtime.outputs.images import write_labels
from openhcs_runtime.plates.synthetic.camera import compose, planes
from openhcs_runtime.plates.synthetic.scene import Look

Image = NDArray[np.uint16]
Times = dict[str, float]
BAR_OF_PLAIN, BAR_OF_SCRIPT = 1.2, 0.6
"""The extra saves at least this factor; with it, ours takes at most this part of the script of scikit-image."""


def ours(image: Image, folder: Path, backend: Backend) -> Iterator[tuple[str, float]]:
    """Yield the names of our functions and the processor time that each takes."""
    clock = time.process_time
    with using(backend):
        start = clock()
        corrected = subtract_background(image[np.newaxis])
        yield "subtract_background", clock() - start
        start = clock()
        smooth = denoise(corrected)
        yield "denoise", clock() - start
        start = clock()
        labels = segment_nuclei(image[np.newaxis])[1]
        yield "segment_nuclei", clock() - start
        start = clock()
        measure_objects(smooth, labels=labels, pixel_size_um=0.5, name="nuclei")
        yield "measure_objects", clock() - start
        start = clock()
        write_labels(folder / "ours.tif", labels[0], 0.5)
        yield "write_labels", clock() - start


def expert(image: Image) -> int:
    """Find nuclei like a script of OpenCV: one threshold, the peaks of the distance, areas and intensities."""
    coarse = cv2.resize(image.astype(np.float32), None, fx=1 / 32, fy=1 / 32, interpolation=cv2.INTER_AREA)
    floor = cv2.GaussianBlur(cv2.erode(coarse, np.ones((3, 3), np.uint8)), (0, 0), 1)
    plane = cv2.max(image.astype(np.float32) - cv2.resize(floor, image.shape[::-1]), 0)
    smooth = cv2.GaussianBlur(plane, (0, 0), 1)
    scaled = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    mask = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    distance = cv2.GaussianBlur(edt.edt(mask, parallel=1), (0, 0), 1.25)
    peaks = (distance == cv2.dilate(distance, np.ones((11, 11), np.uint8))) & (mask > 0)
    seeds = cv2.connectedComponents(peaks.view(np.uint8))[1]
    labels = watershed(-distance, seeds, mask=mask > 0)
    inside = np.flatnonzero(labels > 0)
    numbers = labels.ravel()[inside]
    areas = np.bincount(numbers)
    np.bincount(numbers, plane.ravel()[inside])
    return int((areas > 30).sum())


def scikit_image(image: Image) -> int:
    """Find nuclei like the examples of scikit-image: Gaussian filters, Otsu, peaks, watershed, regionprops."""
    plane = image - gaussian(image.astype(float), 50, preserve_range=True)
    smooth = gaussian(plane, 1, preserve_range=True)
    mask = opening(smooth > threshold_otsu(smooth), np.ones((3, 3), bool))
    distance = edt.edt(mask.view(np.uint8), parallel=1)
    seeds = np.zeros(image.shape, np.int32)
    peaks = peak_local_max(distance, min_distance=5, labels=label(mask))
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-distance, seeds, mask=mask)
    return len(regionprops_table(labels, plane, properties=("label", "area", "centroid", "mean_intensity"))["label"])


def round_of(images: list[Image], folder: Path) -> Times:
    """Return the times of one round, in milliseconds for one image."""
    times: Times = {}
    for image in images:
        for name, backend in (("with the extra", installed()), ("without", PLAIN)):
            for function, seconds in ours(image, folder, backend):
                times[f"{function}, {name}"] = times.get(f"{function}, {name}", 0.0) + seconds
                times[f"all, {name}"] = times.get(f"all, {name}", 0.0) + seconds
        others: dict[str, Callable[[Image], int]] = {"expert, OpenCV": expert, "scikit-image": scikit_image}
        for name, find in others.items():
            start = time.process_time()
            find(image)
            times[name] = times.get(name, 0.0) + time.process_time() - start
    return {name: 1e3 * seconds / len(images) for name, seconds in times.items()}


def pictures(size: int, number: int) -> list[Image]:
    """Return images of nuclei of 20 pixels, a third of them in clumps."""
    found = []
    for seed in range(number):
        rng = np.random.default_rng(seed)
        (_, _, image), *_ = planes(rng, compose(rng, size, Look(diameter_px=20.0)), channels=1, z=1)
        found.append(image)
    return found


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=(1024, 2048))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=3, help="images of each size")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with threadpoolctl.threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            images = pictures(size, options.images)
            round_of(images[:1], Path(folder))
            rounds = [round_of(images, Path(folder)) for _ in range(options.rounds)]
            medians = {name: statistics.median(times[name] for times in rounds) for name in rounds[0]}
            print(f"{size} x {size} pixels, load {os.getloadavg()[0]:.1f}; CPU-ms an image")
            for name, median in sorted(medians.items(), key=lambda entry: entry[0].split(", ")[::-1]):
                print(f"  {name:38}{median:8.1f}")
            plain = medians["all, without"] / medians["all, with the extra"]
            beside = medians["all, with the extra"] / medians["scikit-image"]
            print(f"  without / with the extra {plain:.2f} (bar: at least {BAR_OF_PLAIN})")
            print(f"  with the extra / scikit-image {beside:.2f} (bar: at most {BAR_OF_SCRIPT})", flush=True)


if __name__ == "__main__":
    main()
