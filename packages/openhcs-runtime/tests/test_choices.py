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
        (lambda: special_outputs("nothing"), "'nothing' is no special output (these are: labels, measurements, rois)"),  # type: ignore[arg-type]
        (lambda: special_inputs("nothing"), "'nothing' is no special input (these are: "),  # type: ignore[arg-type]
        (lambda: threshold(STACK, method="best"), "'best' is no method of threshold (these are: otsu, li, triangle)"),  # type: ignore[arg-type]
        (stitched, "'zigzag' is no order of a grid (these are: rows, snake)"),
        (lambda: builtin_source("other"), "'other' is no built-in pipeline (these are: nuclei_count)"),
        (lambda: Modes.of({"site": "row"}), "'row' is no mode of site in napari (these are: slider, layer)"),
        (lambda: Layout.of("plate"), "'plate' is no choice of windows (these are: well, site, all)"),
        (
            lambda: Layout.of(axes={"site": "row"}),
            "'row' is no place in ImageJ for site (these are: window, channel, slice, frame)",
        ),
    ],
)
def test_as_a_value_error(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match="is no") as caught:
        call()
    assert words in str(caught.value)


def test_as_errors_of_the_package(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"GlobalConfig: 'gpu' is no mode \(these are: threads, processes, dask\)"):
        GlobalConfig(mode="gpu")  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match=r"PipelineConfig: 'png' is no image_format \(these are: tiff, ome_zarr\)"):
        PipelineConfig(image_format="png")  # type: ignore[arg-type]
    with pytest.raises(PlateError, match="'png' is no format of plates"):
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
