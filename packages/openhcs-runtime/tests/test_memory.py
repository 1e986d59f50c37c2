"""What a well is thought to take, what it takes, and how many workers there are in the end."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.builtin import builtin_pipeline
from openhcs_runtime.components import Component
from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.engine.compiler import compile_plate
from openhcs_runtime.engine.memory import estimate, most_memory
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.exceptions import CompileError
from openhcs_runtime.functions import denoise, max_projection
from openhcs_runtime.pipeline.plan import CompiledPlate
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.plates import ImageHeader, open_plate

HEADER = ImageHeader((1000, 1000), np.dtype(np.uint16))


def compiled(plate: Path, config: GlobalConfig) -> CompiledPlate:
    return compile_plate(open_plate(plate), builtin_pipeline().steps, config, PipelineConfig(), plate.parent / "out")


def test_the_rule() -> None:
    assert estimate(HEADER, 0, 1) == 150_000_000 + 1_000_000 * (10 + 40)
    assert estimate(HEADER, 8, 4) == 150_000_000 + 1_000_000 * (8 * 8 + 4 * 10 + 40)


def test_only_what_steps_work_on_counts(new_plate: Callable[..., Path]) -> None:
    plate = open_plate(new_plate(wells=2, sites=3, channels=2, size=64))
    pixels = 64 * 64
    first = FunctionStep({1: denoise}, variable_components=(Component.Z_INDEX,), group_by=Component.CHANNEL)
    alone = most_memory(plate, plate.wells, [first])
    assert (alone.well, alone.needed_bytes) == ("A01", 150_000_000 + pixels * (10 + 40))
    assert most_memory(plate, plate.wells, [first, first]).needed_bytes - alone.needed_bytes == pixels * 3 * 8
    both = [FunctionStep(max_projection)]
    assert most_memory(plate, plate.wells, both).needed_bytes == 150_000_000 + pixels * (3 * 10 + 40)


def test_the_estimate_is_near_what_is_measured(new_plate: Callable[..., Path], tmp_path: Path) -> None:
    config = PipelineConfig(str(tmp_path / "out"))
    plate = new_plate(wells=1, sites=2, size=1024)
    with PipelineOrchestrator(plate, builtin_pipeline(), GlobalConfig(1), config) as orchestrator:
        measured = orchestrator.run().wells[0].peak_memory_bytes
        estimated = orchestrator.compile().memory_per_well_bytes
    if measured is None:
        pytest.skip("this system does not tell the memory of a process")
    assert 0.5 * estimated < measured < 1.2 * estimated


def test_a_well_that_does_not_fit_is_refused(new_plate: Callable[..., Path]) -> None:
    plate = new_plate(wells=2)
    path = next(plate.rglob("*_A02_*.tif"))
    path.unlink()
    second = path.with_name(path.name.replace("_s1_", "_s2_"))
    for name in (path, second):  # nothing but headers: the files have holes where pixels would be
        tifffile.memmap(name, shape=(400_000, 400_000), dtype=np.uint8, bigtiff=True).flush()
    with pytest.raises(CompileError, match=r"well A02 needs about \d.* GB of memory, and this machine has [\d.]+ GB"):
        compiled(plate, GlobalConfig(1))
    assert compiled(plate, GlobalConfig(dask="tcp://elsewhere:8786")).workers == 2


def test_workers_are_as_many_as_fit(new_plate: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    plate = new_plate(wells=8)
    monkeypatch.setattr("openhcs_runtime.config.available_cores", lambda: 8)
    needed = compiled(plate, GlobalConfig()).memory_per_well_bytes
    monkeypatch.setattr("openhcs_runtime.engine.compiler.available_bytes", lambda: 3 * needed + 1)
    assert compiled(plate, GlobalConfig()).workers == 3
    assert compiled(plate, GlobalConfig(5)).workers == 5
    monkeypatch.setattr("openhcs_runtime.engine.compiler.available_bytes", lambda: 100 * needed)
    assert compiled(plate, GlobalConfig()).workers == 8


def test_a_damaged_first_image_does_not_stop_the_plate(new_plate: Callable[..., Path]) -> None:
    plate = new_plate(wells=2)
    next(plate.rglob("*_A01_*.tif")).write_bytes(b"II*\0")
    assert compiled(plate, GlobalConfig(2)).memory_per_well_bytes == 0
