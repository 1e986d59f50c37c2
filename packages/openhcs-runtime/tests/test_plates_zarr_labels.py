"""Labels of an OME-Zarr plate as inputs of a pipeline; they are written by ome-zarr-py."""

import shutil
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.exceptions import CompileError
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.plates import make_plate
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.tables.read import open_results

pytestmark = pytest.mark.usefixtures("zarr_ends")
MEASURE = """
from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import measure_objects
pipeline_steps = [FunctionStep({1: (measure_objects, {"name": "cells"})}, group_by="channel")]
"""


def three_objects(shape: tuple[int, ...] = (64, 64)) -> NDArray[np.uint16]:
    labels = np.zeros(shape, np.uint16)
    labels[..., 5:15, 5:15], labels[..., 20:30, 5:25], labels[..., 40:60, 40:60] = 1, 2, 7
    return labels


def write_labels(plate: Path, well: str, name: str, labels: NDArray[Any], axes: str) -> None:
    group = zarr.open_group(plate / well / "0", mode="r+")
    with warnings.catch_warnings(action="ignore"), import_module("dask").config.set(scheduler="synchronous"):
        import_module("ome_zarr.writer").write_labels(labels, group, name=name, axes=axes, scaler=None)


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    return make_plate(tmp_path / "p.zarr", wells=2, sites=1, channels=2, z=1, size=64, format="ome_zarr")


def run(plate: Path, text: str = MEASURE, **config: Any) -> PlateResult:
    settings = PipelineConfig(output_dir=str(plate.parent / "out"), **config)
    with PipelineOrchestrator(plate, load_pipeline(text), GlobalConfig(num_workers=1), settings) as orchestrator:
        orchestrator.initialize()
        orchestrator.compile()
        return orchestrator.execute()


@pytest.mark.parametrize(("axes", "shape"), [("yx", (64, 64)), ("cyx", (1, 64, 64)), ("tczyx", (1, 1, 1, 64, 64))])
def test_a_step_measures_the_objects_of_another_program(plate: Path, axes: str, shape: tuple[int, ...]) -> None:
    for well in ("A/01", "A/02"):
        write_labels(plate, well, "cells", three_objects(shape), axes)
    result = run(plate, labels="cells")
    assert result.status is ResultStatus.COMPLETE
    found = open_results(result.output_dir).arrow("cells")
    rows = zip(found["well"].to_pylist(), found["label"].to_pylist(), strict=True)
    assert list(rows) == [(well, number) for well in ("A01", "A02") for number in (1, 2, 7)]
    assert found["area_px2"].to_pylist() == [100, 200, 400] * 2
    provenance = (Path(result.output_dir) / "provenance.json").read_text(encoding="utf-8")
    assert '"labels":"cells"' in provenance.replace(" ", "")


def test_labels_that_an_image_lacks_are_named_before_the_run(plate: Path) -> None:
    write_labels(plate, "A/01", "cells", three_objects(), "yx")
    with pytest.raises(CompileError, match=r"A/02/0 has no labels 'cells': choose others"):
        run(plate, labels="cells")


def test_labels_of_another_size_are_refused(plate: Path) -> None:
    for well in ("A/01", "A/02"):
        write_labels(plate, well, "cells", three_objects()[:32], "yx")
    with pytest.raises(CompileError, match="do not fit the image: they have y 32 x x 64, and the image"):
        run(plate, labels="cells")


def test_labels_that_are_no_integers_fail_the_well(plate: Path) -> None:
    for well in ("A/01", "A/02"):
        write_labels(plate, well, "cells", three_objects().astype(np.float32), "yx")
    result = run(plate, labels="cells")
    assert [well.status for well in result.wells] == [ResultStatus.FAILED] * 2
    assert "float32, not integers" in result.wells[0].error


def test_a_run_with_other_labels_is_not_taken_over(plate: Path) -> None:
    for well in ("A/01", "A/02"):
        write_labels(plate, well, "cells", three_objects(), "yx")
    config = PipelineConfig(labels="cells")
    taken = []
    for changes in (False, False, True):
        if changes:
            shutil.rmtree(plate / "A/01/0/labels")
            write_labels(plate, "A/01", "cells", three_objects()[::-1].copy(), "yx")
        with PipelineOrchestrator(plate, load_pipeline(MEASURE), GlobalConfig(num_workers=1), config) as orchestrator:
            taken.append([bool(well.taken_from) for well in orchestrator.run().wells])
    assert taken == [[False, False], [True, True], [False, True]]


def test_other_formats_have_no_labels(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="only OME-Zarr plates have labels"):
        run(make_plate(tmp_path / "p", wells=1, sites=1, channels=1, size=64), labels="cells")
