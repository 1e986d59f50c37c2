"""Finds and measures nuclei with the modules of CellProfiler 4; runs in an environment that has CellProfiler.

    python measure.py FOLDER

Prints JSON: CPU milliseconds of one image (median) by module, and the number of nuclei in all images. The modules have
their default settings but for the diameter.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import cellprofiler_core.preferences
import numpy as np
import tifffile

cellprofiler_core.preferences.set_headless()

from cellprofiler.modules.identifyprimaryobjects import IdentifyPrimaryObjects  # noqa: E402  headless comes first
from cellprofiler.modules.measureobjectintensity import MeasureObjectIntensity  # noqa: E402
from cellprofiler.modules.measureobjectsizeshape import MeasureObjectSizeShape  # noqa: E402
from cellprofiler_core.image import Image, ImageSetList  # noqa: E402
from cellprofiler_core.measurement import Measurements  # noqa: E402
from cellprofiler_core.object import ObjectSet  # noqa: E402
from cellprofiler_core.pipeline import Pipeline  # noqa: E402
from cellprofiler_core.workspace import Workspace  # noqa: E402

DIAMETERS = 10, 60  # pixels


def modules():
    """Return the three modules, set up."""
    find, intensity, shape = IdentifyPrimaryObjects(), MeasureObjectIntensity(), MeasureObjectSizeShape()
    find.x_name.value, find.y_name.value = "DNA", "Nuclei"
    find.size_range.min, find.size_range.max = DIAMETERS
    intensity.images_list.value, intensity.objects_list.value = "DNA", "Nuclei"
    shape.objects_list.value, shape.calculate_zernikes.value = "Nuclei", False
    return [find, intensity, shape]


def run(plane):
    """Return the seconds of processor time of each module for one image, and the number of nuclei."""
    pipeline, objects = Pipeline(), ObjectSet()
    for number, module in enumerate(found := modules(), 1):
        module.set_module_num(number)
        pipeline.add_module(module)
    image_sets = ImageSetList()
    image_set = image_sets.get_image_set(0)
    image_set.add("DNA", Image(plane.astype(np.float32) / np.iinfo(plane.dtype).max))
    workspace = Workspace(pipeline, found[0], image_set, objects, Measurements(), image_sets)
    seconds = {}
    for module in found:
        workspace.set_module(module)
        begin = time.process_time()
        module.run(workspace)
        seconds[module.module_name] = time.process_time() - begin
    return seconds, int(objects.get_objects("Nuclei").count)


def main():
    """Measure all images of the folder, after one for warming up."""
    planes = [tifffile.imread(path) for path in sorted(Path(sys.argv[1]).rglob("*.tif"))]
    run(planes[0])
    results = [run(plane) for plane in planes]
    names = results[0][0]
    steps = {name: 1e3 * statistics.median(seconds[name] for seconds, _ in results) for name in names}
    print(json.dumps({"steps": steps, "nuclei": sum(count for _, count in results)}))


if __name__ == "__main__":
    main()
