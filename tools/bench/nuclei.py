"""The accuracy of nuclei counts: error of the count and F1 at IoU 0.5, over synthetic images.

python tools/bench/nuclei.py                 # the whole grid
python tools/bench/nuclei.py --only clump    # rows whose name contains a word
python tools/bench/nuclei.py --images DIR    # own images NAME.tif, each with its labels NAME.labels.tif
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_runtime.functions import segment_nuclei
from openhcs_runtime.plates.synthetic.camera import compose, planes
from openhcs_runtime.plates.synthetic.scene import Look

DIAMETERS = (9, 14, 20, 32, 50, 80, 100, 120)
LOOKS: dict[str, dict[str, float]] = {
    "plain": {},
    "crowded": {"density": 3, "clumping": 0.8},
    "textured": {"texture": 0.25},
    "textured clumps": {"texture": 0.25, "density": 2, "clumping": 0.7},
    "haze": {"haze": 0.5},
    "strong haze, clumps": {"haze": 1.0, "clumping": 0.7, "density": 2},
    "saturated": {"saturation": 0.5, "clumping": 0.6},
    "dead": {"dead": 0.08, "texture": 0.2},
    "dividing": {"dividing": 0.1, "texture": 0.2},
    "dim": {"dim": 0.3, "texture": 0.2},
    "debris": {"debris": 2},
    "noisy": {"noise": 6},
    "irregular clumps": {"irregularity": 0.15, "density": 2, "clumping": 0.7, "texture": 0.2},
    "uneven brightness": {"variation": 0.9, "density": 1.5, "clumping": 0.5, "texture": 0.2},
    "bright foci": {"foci": 2.0, "texture": 0.2, "density": 1.5, "clumping": 0.5},
    "blurred": {"blur": 3.0, "density": 1.5, "clumping": 0.5, "texture": 0.2},
    "hard": {
        "density": 2,
        "clumping": 0.6,
        "haze": 0.3,
        "dead": 0.08,
        "dividing": 0.05,
        "texture": 0.25,
        "foci": 1.0,
        "debris": 0.5,
        "irregularity": 0.12,
        "variation": 0.7,
        "blur": 1.7,
        "noise": 2,
    },
    "all at once": {
        "density": 1.8,
        "clumping": 0.6,
        "haze": 0.3,
        "dead": 0.05,
        "dividing": 0.05,
        "dim": 0.15,
        "texture": 0.2,
        "debris": 0.5,
        "noise": 2,
    },
}


@dataclass(frozen=True, slots=True)
class Score:
    """The result of one image."""

    truth: int
    found: int
    matched: int

    @property
    def error(self) -> float:
        """The relative error of the count."""
        return abs(self.found - self.truth) / max(1, self.truth)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.matched / max(1, self.found + self.truth)


def score(truth: NDArray[np.integer], found: NDArray[np.integer]) -> Score:
    """Match objects that share more than half of their union, which at most one does."""
    truths, finds = int(truth.max()), int(found.max())
    shared = np.bincount(
        truth.ravel().astype(np.int64) * (finds + 1) + found.ravel(), minlength=(truths + 1) * (finds + 1)
    ).reshape(truths + 1, finds + 1)
    areas, sizes = shared.sum(1), shared.sum(0)
    union = areas[1:, np.newaxis] + sizes[np.newaxis, 1:] - shared[1:, 1:]
    matched = int((shared[1:, 1:] > 0.5 * union).sum())
    return Score(int((areas[1:] > 0).sum()), int((sizes[1:] > 0).sum()), matched)


def pictures(
    diameter: int, look: dict[str, float], number: int
) -> Iterator[tuple[NDArray[np.uint16], NDArray[np.int32]]]:
    """Return synthetic images with their labels; images are larger for larger nuclei."""
    size = min(1200, max(384, 11 * diameter))
    for seed in range(number):
        rng = np.random.default_rng([seed, diameter])
        frame = compose(rng, size, Look(diameter_px=diameter, **look))
        (_, _, image), *_ = planes(rng, frame, channels=1, z=1)
        yield image, frame.labels()


def segment(image: NDArray[np.generic]) -> NDArray[np.integer]:
    """Count like the built-in pipeline."""
    labels: NDArray[np.integer] = segment_nuclei(image[np.newaxis])[1][0]
    return labels


def real_pictures(folder: Path) -> Iterator[tuple[str, NDArray[np.generic], NDArray[np.int32]]]:
    """Return the images and labels in a folder."""
    for path in sorted(folder.glob("*.labels.tif")):
        name = path.name.removesuffix(".labels.tif")
        yield name, tifffile.imread(folder / f"{name}.tif"), tifffile.imread(path).astype(np.int32)


def print_row(name: str, scores: list[Score], seconds: float) -> None:
    """Return one line of the table."""
    errors = [entry.error for entry in scores]
    bias = sum(entry.found for entry in scores) / max(1, sum(entry.truth for entry in scores)) - 1
    f1 = 2 * sum(entry.matched for entry in scores) / max(1, sum(entry.found + entry.truth for entry in scores))
    truth = sum(entry.truth for entry in scores)
    print(
        f"{name:32} {truth:6d} {np.median(errors):8.1%} {bias:+8.1%} {f1:6.3f} {seconds:7.2f}",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    parser.add_argument("--number", type=int, default=3, help="images per row")
    parser.add_argument("--diameters", type=int, nargs="+", default=DIAMETERS)
    parser.add_argument("--images", type=Path, help="a folder with own images")
    options = parser.parse_args()
    print(f"{'':32} {'nuclei':>6} {'median':>8} {'bias':>8} {'F1':>6} {'s/image':>7}")
    if options.images is not None:
        for name, image, truth in real_pictures(options.images):
            begun = time.perf_counter()
            found = segment(image)
            print_row(name, [score(truth, found)], time.perf_counter() - begun)
        return
    everything: list[Score] = []
    for name, look in LOOKS.items():
        for diameter in options.diameters:
            if options.only not in f"{name} {diameter} px":
                continue
            begun, scores = 0.0, []
            for image, truth in pictures(diameter, look, options.number):
                start = time.perf_counter()
                found = segment(image)
                begun += time.perf_counter() - start
                scores.append(score(truth, found))
            everything += scores
            print_row(f"{name} {diameter} px", scores, begun / len(scores))
    print_row("all", everything, 0.0)


if __name__ == "__main__":
    main()
