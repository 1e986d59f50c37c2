"""A word that is none of those there are is said with those there are, wherever it is given."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.exceptions import PipelineError, PlateError
from openhcs_runtime.functions import stitch_sites, threshold
from openhcs_runtime.pipeline.decorators import special_inputs, special_outputs
from openhcs_runtime.plates import make_plate
from openhcs_runtime.viewers.components import Modes
from openhcs_runtime.viewers.fiji.layout import Layout

STACK = np.zeros((2, 4, 4), np.uint16)


def stitched() -> object:
    return stitch_sites(STACK, positions=None, pixel_size_um=None, grid=(1, 2), order="zigzag")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: special_outputs("nothing"), "unknown special output 'nothing'; choose labels, measurements or rois"),  # type: ignore[arg-type]
        (lambda: special_inputs("nothing"), "unknown special input 'nothing'; choose "),  # type: ignore[arg-type]
        (lambda: threshold(STACK, method="best"), "unknown threshold method 'best'; choose otsu, li or triangle"),  # type: ignore[arg-type]
        (stitched, "unknown grid order 'zigzag'; choose rows or snake"),
        (
            lambda: builtin_source("other"),
            "unknown built-in pipeline 'other'; choose nuclei_count, nuclei_cells",
        ),
        (lambda: Modes.of({"site": "row"}), "unknown napari mode for site 'row'; choose slider or layer"),
        (lambda: Layout.of("plate"), "unknown windows setting 'plate'; choose well, site or all"),
        (
            lambda: Layout.of(axes={"site": "row"}),
            "unknown ImageJ axis for site 'row'; choose window, channel, slice or frame",
        ),
    ],
)
def test_as_a_value_error(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match="unknown") as caught:
        call()
    assert words in str(caught.value)


def test_as_errors_of_the_package(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"GlobalConfig: unknown mode 'gpu'; choose threads, processes or dask"):
        GlobalConfig(mode="gpu")  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match=r"PipelineConfig: unknown image_format 'png'; choose tiff or ome_zarr"):
        PipelineConfig(image_format="png")  # type: ignore[arg-type]
    with pytest.raises(PlateError, match="unknown plate format 'png'"):
        make_plate(tmp_path / "new", format="png")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (5, "pipeline_steps is of type int, not a list of FunctionStep"),
        ([threshold], "entry 1 of pipeline_steps is of type function, not a FunctionStep"),
    ],
)
def test_steps_that_are_none(steps: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=words):
        PipelineOrchestrator(tmp_path, steps)  # type: ignore[arg-type]
