"""The same with the functions of this project: finds and measures nuclei, prints the same JSON.

python ours.py FOLDER
"""

import itertools
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_runtime.functions import measure_intensity, measure_shape, segment_nuclei

STEPS = "segment_nuclei", "measure_intensity", "measure_shape"


def run(plane: NDArray[np.generic]) -> tuple[dict[str, float], int]:
    """Return the seconds of processor time of each step for one image, and the number of nuclei."""
    stack = plane[np.newaxis]
    times = [time.process_time()]
    _, labels = segment_nuclei(stack)
    times.append(time.process_time())
    measure_intensity(stack, shared_labels=labels)
    times.append(time.process_time())
    measure_shape(stack, labels=labels, pixel_size_um=None)
    times.append(time.process_time())
    seconds = (after - before for before, after in itertools.pairwise(times))
    return dict(zip(STEPS, seconds, strict=True)), int(labels.max())


def main() -> None:
    """Measure all images of the folder, after one for warming up."""
    planes = [tifffile.imread(path) for path in sorted(Path(sys.argv[1]).rglob("*.tif"))]
    run(planes[0])
    results = [run(plane) for plane in planes]
    steps = {name: 1e3 * statistics.median(seconds[name] for seconds, _ in results) for name in STEPS}
    print(json.dumps({"steps": steps, "nuclei": sum(count for _, count in results)}))


if __name__ == "__main__":
    main()
