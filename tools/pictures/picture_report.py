"""Make docs/images/report.png: the head of the report of a plate with controls, in a browser without a screen."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from openhcs_runtime import Component, ExecutionMode, FunctionStep, GlobalConfig, PipelineOrchestrator, write_report
from openhcs_runtime.components import well_name
from openhcs_runtime.functions import measure_objects, measure_quality, segment_nuclei
from openhcs_runtime.plates import make_plate

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "images" / "report.png"
BROWSER = ROOT / "packages" / "openhcs-runtime" / "tests" / "report_in_browser.py"
COMPOUNDS = (("axitinib", 0.7, 0.3), ("bosutinib", 0.5, 1.5), ("crizotinib", 0.6, 0.05), ("dasatinib", 0.0, 1.0))
"""Name, largest effect and EC50 in micromolar."""


def main() -> None:
    """Run a pipeline on a plate with made-up effects, and take a picture of its report."""
    with tempfile.TemporaryDirectory(prefix="pr") as folder:
        plate = make_plate(Path(folder) / "2026-11-30_kinases", wells=96, sites=1, channels=2, size=256)
        lines = ["well,compound,dose_uM,control"]
        for row in range(8):
            lines += [treat(plate, row, column) for column in range(12)]
        (plate / "platemap.csv").write_text("\n".join(lines), encoding="utf-8")
        for well in ("C05", "F10"):
            damaged = next(plate.rglob(f"*_{well}_*.tif"))
            damaged.write_bytes(damaged.read_bytes()[:200])
        nuclei = FunctionStep(
            {1: [segment_nuclei, (measure_objects, {"name": "nuclei"})]}, name="Nuclei", group_by=Component.CHANNEL
        )
        steps = [FunctionStep(measure_quality), nuclei]
        with PipelineOrchestrator(plate, steps, GlobalConfig(2, ExecutionMode.THREADS)) as orchestrator:
            run = orchestrator.run().output_dir
        measures = ["nuclei_intensity_mean_DAPI", "nuclei_count", "nuclei_area_um2"]
        report = write_report(run, Path(folder) / "report.html", measures=measures)
        subprocess.run(
            [sys.executable, str(BROWSER), str(report.path), folder, "light"], check=True, capture_output=True
        )
        picture = Image.open(Path(folder) / "light_1280_0.png").convert("RGB")
        picture.quantize(128).save(PICTURE, optimize=True)
    print(f"Made {PICTURE}")


def treat(plate: Path, row: int, column: int) -> str:
    """Make the nuclei of a well darker, as its compound would; returns its line of the plate map."""
    well = well_name(row, column)
    if column == 0:
        return f"{well},DMSO,0,negative"
    name, largest, ec50 = ("staurosporine", 0.8, 0.0) if column == 11 else COMPOUNDS[row // 2]
    dose = 1.0 if column == 11 else 10 / 3 ** (column - 1)
    share = largest / (1 + ec50 / dose)
    noise = np.random.default_rng(row * 12 + column).normal(1, 0.03)
    for path in plate.rglob(f"*_{well}_*w1*.tif"):
        with tifffile.TiffFile(path) as file:
            text, pixels = file.pages.first.description, file.asarray()
        dark = float(np.median(pixels))
        changed = (dark + (pixels - dark) * (1 - share) * noise).clip(0, 65535).astype(np.uint16)
        tifffile.imwrite(path, changed, description=text)
    return f"{well},{name},{dose:.6g},{'positive' if column == 11 else ''}"


if __name__ == "__main__":
    main()
