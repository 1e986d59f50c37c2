"""The built-in count against the truth of made plates."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from openhcs_runtime.builtin import builtin_pipeline
from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.plates import make_plate


def counts(path: Path, column: str) -> dict[tuple[str, str], int]:
    with path.open(newline="") as file:
        return {(row["well"], row["site"]): int(row[column]) for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({"wells": 24, "sites": 2, "channels": 2, "size": 256, "seed": 11}, 0.02),
        ({"wells": 4, "sites": 1, "channels": 1, "size": 512, "seed": 12, "z": 3}, 0.03),
    ],
)
def test_counts_are_right(tmp_path: Path, options: dict[str, Any], limit: float) -> None:
    plate = make_plate(tmp_path / "plate", **options)
    with PipelineOrchestrator(
        plate, builtin_pipeline(), GlobalConfig(num_workers=2), PipelineConfig(str(tmp_path / "out"))
    ) as orchestrator:
        result = orchestrator.run()
    truth = counts(plate / "truth.csv", "nuclei")
    found = counts(Path(result.measurements), "nuclei_count")
    assert found.keys() == truth.keys()
    total = sum(truth.values())
    assert abs(sum(found.values()) - total) <= limit * total
    assert sum(abs(found[site] - truth[site]) for site in truth) <= 2 * limit * total


def test_an_empty_image_has_no_nuclei(tmp_path: Path) -> None:
    (tmp_path / "plate").mkdir()
    noise = np.random.default_rng(0).normal(200, 5, (128, 128)).astype(np.uint16)
    for well, image in {"A01": np.zeros((128, 128), np.uint16), "A02": noise}.items():
        tifffile.imwrite(tmp_path / "plate" / f"x_{well}_s1_w1.tif", image)
    with PipelineOrchestrator(tmp_path / "plate", builtin_pipeline(), GlobalConfig(mode="threads")) as orchestrator:  # type: ignore[arg-type]
        result = orchestrator.run()
    assert result.counts == {"nuclei_count": 0}
