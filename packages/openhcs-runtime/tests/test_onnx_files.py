"""The file of an ONNX model and those of its weights: what is wrong with them, and results that depend on them."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig, PipelineError, PipelineOrchestrator, PlateResult
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.functions import segment_onnx
from openhcs_runtime.functions.models import onnx as onnx_step
from openhcs_runtime.functions.models.onnx_file import external_files, file_problems

onnx = importlib.import_module("onnx")  # without types

NewPlate = Callable[..., Path]


def write_model(
    path: Path, value: float = 1.0, shape: tuple[int | str, ...] = ("n", 1, "y", "x"), *, data: str = ""
) -> Path:
    """Write a model that multiplies its input by a weight, which is in a file of its own if it has a name."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Mul", ["image", "w"], ["map"])],
        "net",
        [helper.make_tensor_value_info("image", floats, shape)],
        [helper.make_tensor_value_info("map", floats, shape)],
        [onnx.numpy_helper.from_array(np.full((1, 1, 1, 1), value, np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path, save_as_external_data=bool(data), location=data or None, size_threshold=0)
    return path


def _run(plate: Path, model: Path, folder: Path, mode: ExecutionMode) -> PlateResult:
    steps = [FunctionStep((segment_onnx, {"model": model}))]
    with PipelineOrchestrator(
        plate, steps, GlobalConfig(num_workers=1, mode=mode), PipelineConfig(results_dir=str(folder))
    ) as orchestrator:
        return orchestrator.run()


@pytest.mark.parametrize("mode", [ExecutionMode.THREADS, ExecutionMode.PROCESSES])
def test_wells_are_made_again_when_only_the_file_of_the_weights_has_changed(
    new_plate: NewPlate, tmp_path: Path, mode: ExecutionMode
) -> None:
    plate, model = new_plate(wells=2), write_model(tmp_path / "net.onnx", data="net.onnx.data")
    _run(plate, model, tmp_path / "out", mode)
    again = _run(plate, model, tmp_path / "out", mode)
    assert all(well.taken_from for well in again.wells)
    (tmp_path / "net.onnx.data").write_bytes(np.float32(-1).tobytes())
    changed = _run(plate, model, tmp_path / "out", mode)
    assert [(well.error, well.taken_from) for well in changed.wells] == [("", ""), ("", "")]


def test_a_loaded_model_is_loaded_again_when_its_weights_have_changed(tmp_path: Path) -> None:
    stack = np.zeros((1, 32, 32), np.float32)
    stack[0, 8:16, 8:16] = 1
    model = write_model(tmp_path / "net.onnx", data="w.bin")
    assert segment_onnx(stack, model=model)[1].max() == 1
    (tmp_path / "w.bin").write_bytes(np.float32(-1).tobytes())
    assert segment_onnx(stack, model=model)[1].max() == 0


def test_files_of_weights_are_found_wherever_a_model_refers_to_them(tmp_path: Path) -> None:
    assert external_files(write_model(tmp_path / "whole.onnx")) == ()
    model = onnx.load(write_model(tmp_path / "net.onnx", data="sub w\u00e9ights.bin"), load_external_data=False)
    inner = onnx.helper.make_graph([], "inner", [], [], list(model.graph.initializer))
    inner.initializer[0].external_data[0].value = "inner.bin"
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("body", inner))
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    found = external_files(tmp_path / "net.onnx")
    assert {file.name for file in found} == {"inner.bin", "sub w\u00e9ights.bin"}
    assert list(file_problems(tmp_path / "net.onnx")) == [
        f"model '{tmp_path / 'net.onnx'}': its file of weights '{tmp_path / 'inner.bin'}' does not exist: "
        "put it next to the model"
    ]


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is a folder: give the file itself"),
        (b"", "is empty: fetch or export it again"),
        (LFS, "is only the pointer of Git LFS: fetch the file itself with 'git lfs pull'"),
        (b"<!DOCTYPE html><html>", "is not an ONNX file, or damaged"),
        (b"\x08\x08", "is not an ONNX file, or damaged (it has no graph)"),
        (b"\x08\x08\x3a\x7f\x0a", "is not an ONNX file, or damaged (it ends too early)"),
    ],
)
def test_a_file_that_is_not_a_model_is_refused_when_compiling(tmp_path: Path, content: bytes | None, said: str) -> None:
    model = tmp_path / "net.onnx"
    model.mkdir() if content is None else model.write_bytes(content)
    (problem,) = onnx_step._problems(model)
    assert problem.startswith(f"model '{model}' ")
    assert said in problem


def test_what_onnxruntime_can_not_load_is_said_in_one_line(tmp_path: Path) -> None:
    model = onnx.load(write_model(tmp_path / "net.onnx"))
    model.graph.node[0].op_type = "Nothing"
    onnx.save(model, tmp_path / "net.onnx")
    assert not list(onnx_step._problems(tmp_path / "net.onnx"))
    with pytest.raises(ValueError, match=r"net.onnx' can't be loaded: .*Nothing") as caught:
        segment_onnx(np.zeros((1, 32, 32), np.uint16), model=tmp_path / "net.onnx")
    assert "\n" not in str(caught.value)
    assert "ONNXRuntimeError" not in str(caught.value)


@pytest.mark.parametrize("shape", [("n", "y", "x", 1), (1, 512, 512, 1), (1, 64, 64, 3)])
def test_a_model_with_its_channels_last_is_refused(tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    model = write_model(tmp_path / "net.onnx", shape=shape)
    with pytest.raises(ValueError, match=r"looks like \(N, Y, X, C\): export it with channels first"):
        segment_onnx(np.zeros((1, 64, 64), np.uint16), model=model)


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("threshold", float("nan"), "threshold nan is not a number"),
        ("threshold", "0.5", "threshold '0.5' is not a number"),
        ("min_area_px", -1, "min_area_px -1 is not an area"),
        ("foreground", -1, "foreground -1 is not a channel of the output: give a whole number from 0"),
        ("overlap_px", -1, "overlap_px -1 is not a number of pixels: give a whole number from 0"),
        ("tile_px", 0, "tile_px 0 is not a number of pixels: give a whole number from 1"),
        ("multiple_px", 0, "multiple_px 0 is not a number of pixels: give a whole number from 1"),
        ("tile_px", 64, "overlap_px 64 does not fit in tile_px 64"),
    ],
)
def test_each_number_that_can_not_be_right_has_its_own_message(argument: str, value: Any, said: str) -> None:
    (problem,) = onnx_step._problems(None, **{argument: value})
    assert problem.startswith(said)


def test_values_that_are_not_numbers_fail(tmp_path: Path) -> None:
    stack = np.zeros((1, 32, 32), np.float32)
    with pytest.raises(ValueError, match="the output of the model has values that are NaN or infinite"):
        segment_onnx(stack, model=write_model(tmp_path / "net.onnx", float("nan")))
    stack[0, 3, 3] = np.nan
    with pytest.raises(ValueError, match="the stack has pixels that are NaN or infinite"):
        segment_onnx(stack, model=write_model(tmp_path / "whole.onnx"))


@pytest.mark.parametrize("memory", ["abc", "0", "0 MB"])
def test_memory_for_models_that_can_not_be_used_is_refused_at_the_start_of_a_run(
    new_plate: NewPlate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: str
) -> None:
    monkeypatch.setenv("OPENHCS_MODEL_MEMORY", memory)
    with pytest.raises(PipelineError, match=f"environment variable OPENHCS_MODEL_MEMORY: '{memory}'"):
        _run(new_plate(wells=1), write_model(tmp_path / "net.onnx"), tmp_path / "out", ExecutionMode.THREADS)
