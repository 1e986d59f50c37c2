"""Features of objects beside cp_measure: CPU seconds, ratio and largest deviation, by group of features.

python tools/bench/features.py                          # a site of 1080 x 1080 pixels, 5 channels, 200 nuclei
python tools/bench/features.py --size 300 --nuclei 15   # a small one

CPU seconds are those of the process with all of its threads. Each group is measured by itself, the total of the native
features in one call of ``measure_features``. The enclosing circle of cp_measure is widened by 1e-12, so that the pixels
on it count, as they do natively; without that, rounding decides about each of them.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from centrosome import zernike
from cp_measure.bulk import get_core_measurements, get_correlation_measurements
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions import measure_features
from openhcs_runtime.functions.features.catalogue import FeatureGroup, feature_of
from openhcs_runtime.functions.features.measured import IN_SITES, FeatureSettings, measure_site

FULL = 65535
BAR_SECONDS = 10.0
Columns = Mapping[str, NDArray[Any]]
CP_GROUPS: dict[FeatureGroup, tuple[str, ...]] = {
    FeatureGroup.SHAPE: ("sizeshape", "feret"),
    FeatureGroup.ZERNIKE: ("zernike", "radial_zernikes"),
    FeatureGroup.INTENSITY: ("intensity",),
    FeatureGroup.RADIAL: ("radial_distribution",),
    FeatureGroup.GRANULARITY: ("granularity",),
    FeatureGroup.TEXTURE: ("texture",),
    FeatureGroup.COLOCALISATION: ("pearson", "manders_fold", "rwc", "costes"),
}
OF_SHAPE = ("sizeshape", "feret", "zernike")
BOTH_WAYS = ("pearson", "costes")


def site(size: int, nuclei: int, channels: int, seed: int = 0) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """Return images (channels, size, size) that use most of 16 bits, and labels of nuclei of about 36 pixels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((size, size), np.int32)
    number = 0
    while number < nuclei:
        (cy, cx), (a, b), angle = rng.uniform(0, size, 2), rng.uniform(13, 25, 2), rng.uniform(0, np.pi)
        box = np.s_[max(int(cy) - 26, 0) : int(cy) + 27, max(int(cx) - 26, 0) : int(cx) + 27]
        y, x = np.mgrid[box].astype(float)[:, : size - box[0].start, : size - box[1].start]
        y, x = y - cy, x - cx
        along, across = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
        inside = ((along / a) ** 2 + (across / b) ** 2 < 1) & (labels[box] == 0)
        if inside.sum() > 300 and ndimage.label(inside, np.ones((3, 3)))[1] == 1:
            number += 1
            labels[box][inside] = number
    shape = ndimage.gaussian_filter((labels > 0).astype(float), 3)
    images = []
    for channel in range(channels):
        grain = ndimage.gaussian_filter(rng.normal(size=shape.shape), 1 + channel)
        bright = 15_000 + 5_000 * channel
        image = 500 + bright * shape * np.clip(1 + 0.35 * grain / grain.std(), 0, None) + rng.normal(0, 60, shape.shape)
        images.append(np.clip(image, 0, FULL).astype(np.uint16))
    return np.stack(images), labels


def whole_circles() -> None:
    """Make the pixels on the enclosing circle count in the Zernike moments of cp_measure."""
    original = zernike.minimum_enclosing_circle

    def wider(*arguments: Any) -> tuple[Any, Any]:
        centres, radii = original(*arguments)
        return centres, np.asarray(radii) * (1 + 1e-12)

    zernike.minimum_enclosing_circle = wider


def cp_measure(group: FeatureGroup, images: NDArray[Any], labels: NDArray[Any]) -> list[dict[str, NDArray[Any]]]:
    """Return the columns of a group by channel, those of pairs and of the shape with the first."""
    functions: dict[str, Callable[..., Any]] = {**get_core_measurements(), **get_correlation_measurements()}
    found: list[dict[str, NDArray[Any]]] = [{} for _ in images]
    for name in CP_GROUPS[group]:
        if group is FeatureGroup.COLOCALISATION:
            found[0].update(_pairs(functions[name], name, images, labels))
            continue
        for columns, image in zip(found, images[:1] if name in OF_SHAPE else images, strict=False):
            columns.update(functions[name](labels, image))
    return found


def _pairs(
    function: Callable[..., Any], name: str, images: NDArray[Any], labels: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    options = {"scale_max": FULL} if name == "costes" else {}
    found = {}
    for one in range(len(images)):
        for other in range(len(images)):
            if one < other or (one != other and name in BOTH_WAYS):
                values = function(images[one], images[other], labels, **options)
                found.update({f"{column}_c{one}_c{other}": np.asarray(each) for column, each in values.items()})
    return found


def deviation(native: list[Columns], theirs: list[dict[str, NDArray[Any]]]) -> tuple[float, int]:
    """Return the largest deviation, relative to the largest value of a column, and how many columns were compared."""
    worst, compared = 0.0, 0
    for at, columns in enumerate(native):
        for name, values in columns.items():
            feature = feature_of(name)
            other = feature.in_cp_measure(name) if feature is not None else ""
            expected = theirs[0].get(_of_pair(other, name)) if "Correlation" in other else theirs[at].get(other)
            if expected is None or "phase" in name or name == "orientation_deg":  # in another unit; see the tests
                continue
            scaled = (name.startswith("intensity_") and not name.endswith("_px")) or "zernike_magnitude" in name
            apart = np.abs(np.asarray(values, float) / (FULL if scaled else 1) - expected)
            worst = max(worst, float(np.nanmax(apart, initial=0) / max(1e-12, np.nanmax(np.abs(expected), initial=0))))
            compared += 1
    return worst, compared


def _of_pair(other: str, name: str) -> str:
    first, second = name.split("_")[-2:]
    if first > second and other.endswith("_1"):
        return f"{other[:-1]}2_{second}_{first}"
    return f"{other}_{first}_{second}"


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns, and the CPU seconds that it takes."""
    start = time.process_time()
    found = function()
    return found, time.process_time() - start


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1080, help="edge length of the images in pixels [default: 1080]")
    parser.add_argument("--nuclei", type=int, default=200, help="number of nuclei [default: 200]")
    parser.add_argument("--channels", type=int, default=5, help="number of channels [default: 5]")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    images, labels = site(given.size, given.nuclei, given.channels)
    names = tuple(f"c{at}" for at in range(len(images)))
    print(f"{given.size} x {given.size} x {given.channels}, {labels.max()} nuclei, {(labels > 0).mean():.0%} of pixels")
    whole_circles()
    small = np.s_[:, :128, :128]
    measure_site(list(images[small]), names, labels[small[1:]], FeatureSettings())  # imports
    cp_measure(FeatureGroup.SHAPE, images[small] / FULL, np.ones((128, 128), np.int32))
    print(f"{'group':<16}{'features':>9}{'native s':>10}{'cp_measure s':>14}{'ratio':>8}{'deviation':>12}")
    theirs_total = 0.0
    for group in IN_SITES:
        found, seconds = timed(lambda: measure_site(list(images), names, labels, FeatureSettings((group,))))  # noqa: B023
        theirs, their_seconds = timed(lambda: cp_measure(group, images / FULL, labels))  # noqa: B023
        theirs_total += their_seconds
        columns = [dict(found.common) | dict(found.channels[0]), *found.channels[1:]]
        count = sum(map(len, columns))
        worst, _ = deviation(columns, theirs)
        print(
            f"{group:<16}{count:>9}{seconds:>10.2f}{their_seconds:>14.2f}{their_seconds / seconds:>8.1f}{worst:>12.0e}"
        )
    (_, measured), seconds = timed(
        lambda: measure_features(
            images, shared_labels=np.stack([labels] * len(images)), channels=names, pixel_size_um=None
        )
    )
    count = sum(len(each.objects) - 1 for each in measured)
    print(f"{'total':<16}{count:>9}{seconds:>10.2f}{theirs_total:>14.2f}{theirs_total / seconds:>8.1f}")
    print(f"at most {BAR_SECONDS:.0f} CPU seconds: {'yes' if seconds <= BAR_SECONDS else 'NO'}")


if __name__ == "__main__":
    main()
