"""The ready steps with models: a real ONNX model that the test makes; of the others, what needs no weights."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openhcs_runtime import (
    CompileError,
    FunctionStep,
    GlobalConfig,
    PipelineConfig,
    PipelineOrchestrator,
    PlateResult,
    StepPlace,
)
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.functions import segment_cellpose, segment_instanseg, segment_onnx, segment_stardist
from openhcs_runtime.functions.models import cellpose, instanseg, onnx as onnx_step, stardist
from openhcs_runtime.functions.models.from_maps import MapRule, labels_from_maps
from openhcs_runtime.functions.models.tiles import Tiling, in_tiles
from openhcs_runtime.pipeline.libraries import BUILT_IN, function_libraries
from openhcs_runtime.pipeline.place import Gpu, at_place
from openhcs_runtime.pipeline.resources import StepResources

onnx = importlib.import_module("onnx")  # without types

NewPlate = Callable[..., Path]
HEAVY = ("torch", "tensorflow", "cellpose", "stardist", "instanseg")


def make_model(path: Path, *, channels: int = 1, size: int | None = None, scale: float = 10.0) -> Path:
    """Write a model whose output is a sigmoid of the mean of its channels around 0.5, over 3 x 3 pixels."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    weights = np.full((1, channels, 3, 3), 1 / (9 * channels), np.float32)
    tensors = {"w": weights, "half": np.float32(0.5), "scale": np.float32(scale)}
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["mean"], pads=[1, 1, 1, 1]),
        helper.make_node("Sub", ["mean", "half"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["steep"]),
        helper.make_node("Sigmoid", ["steep"], ["foreground"]),
    ]
    side = ("y", "x") if size is None else (size, size)
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", floats, ["n", channels, *side])],
        [helper.make_tensor_value_info("foreground", floats, ["n", 1, *side])],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def squares() -> NDArray[np.uint16]:
    """Two planes with two bright squares each."""
    stack = np.full((2, 80, 100), 100, np.uint16)
    stack[:, 10:30, 10:30] = stack[:, 40:60, 50:90] = 1000
    return stack


@pytest.mark.parametrize(
    ("options", "size"),
    [({}, None), ({"tile_px": 48, "overlap_px": 16}, None), ({}, 64), ({}, 128), ({"multiple_px": 1}, None)],
    ids=["whole", "tiles", "fixed", "fixed larger", "no padding"],
)
def test_an_onnx_model_finds_the_same_objects_whole_and_in_tiles(
    tmp_path: Path, options: dict[str, Any], size: int | None
) -> None:
    model = make_model(tmp_path / "net.onnx", size=size)
    stack, labels = segment_onnx(squares(), model=model, **options)
    assert stack.shape == labels.shape == (2, 80, 100)
    assert labels.dtype == np.int32
    for plane in labels:
        assert sorted(np.bincount(plane.ravel())[1:]) == [20 * 20 - 4, 20 * 40 - 4]  # without their corners


def test_the_planes_of_a_stack_are_the_channels_of_a_model_that_has_several(tmp_path: Path) -> None:
    stack = squares()
    stack[1, 10:30, 10:30] = 100
    labels = segment_onnx(stack, model=make_model(tmp_path / "net.onnx", channels=2), threshold=0.9)[1]
    assert (labels[0] == labels[1]).all()
    assert np.unique(labels[0, 12:28, 12:28]).tolist() == [0]
    assert labels[0, 50, 70] == 1
    with pytest.raises(ValueError, match="takes 2 channels and the stack has 1 planes: set variable_components"):
        segment_onnx(stack[:1], model=tmp_path / "net.onnx")
    with pytest.raises(ValueError, match="has 1 channels, so there is no channel 3"):
        segment_onnx(stack, model=tmp_path / "net.onnx", boundary=3)


def _run(plate: Path, model: Path, folder: Path, mode: ExecutionMode, **step: Any) -> PlateResult:
    steps = [FunctionStep((segment_onnx, {"model": model, "normalize": "range"}), **step)]
    settings = GlobalConfig(num_workers=1, mode=mode, gpus="0")
    with PipelineOrchestrator(plate, steps, settings, PipelineConfig(output_dir=str(folder))) as orchestrator:
        return orchestrator.run()


@pytest.mark.parametrize("mode", [ExecutionMode.THREADS, ExecutionMode.PROCESSES])
def test_an_onnx_step_that_has_a_gpu_but_no_provider_for_it_says_so(
    new_plate: NewPlate, tmp_path: Path, mode: ExecutionMode
) -> None:
    import onnxruntime

    if any(known in onnxruntime.get_available_providers() for known in onnx_step._GPU_PROVIDERS):
        pytest.skip("onnxruntime can use a GPU here")
    result = _run(new_plate(wells=2), make_model(tmp_path / "net.onnx"), tmp_path / "out", mode, gpu=1)
    assert [well.error for well in result.wells] == ["", ""]
    assert {cost.device for well in result.wells for cost in well.steps} == {"CPU"}
    (said,) = result.without_gpu
    assert said.endswith("ran on the CPU in 2 wells: onnxruntime has no provider for GPUs: pip install onnxruntime-gpu")


def test_results_depend_on_the_file_of_the_model(new_plate: NewPlate, tmp_path: Path) -> None:
    plate, model = new_plate(wells=1), make_model(tmp_path / "net.onnx")
    first = _run(plate, model, tmp_path / "a", ExecutionMode.THREADS)
    assert _run(plate, model, tmp_path / "b", ExecutionMode.THREADS).signature == first.signature
    make_model(model, scale=20.0)
    assert _run(plate, model, tmp_path / "c", ExecutionMode.THREADS).signature != first.signature


def test_the_provider_is_chosen_by_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    asked: list[Any] = []

    class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
        """The real one, which notes the providers that it was asked for."""

        def __init__(self, file: str, options: Any, providers: list[Any]) -> None:
            asked.append(providers)
            super().__init__(file, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    model = make_model(tmp_path / "net.onnx")
    with at_place(StepPlace(Gpu("1", 1), 1, StepResources(1.0, threads=2))) as place:
        segment_onnx(squares(), model=model)
    assert asked == [[("CUDAExecutionProvider", {"device_id": "1"}), "CPUExecutionProvider"]]
    assert "CUDAExecutionProvider of onnxruntime does not work here" in place.why_cpu
    with at_place(StepPlace(resources=StepResources(1.0))) as place:
        segment_onnx(squares(), model=model)
    assert asked[1] == ["CPUExecutionProvider"]


def test_maps_of_boundaries_and_distances_separate_touching_objects() -> None:
    maps = np.zeros((3, 20, 40), np.float32)
    maps[0, 5:15, 5:35] = 1
    maps[1, 5:15, 19:21] = 1
    maps[2, 8:12, 8:12] = maps[2, 8:12, 28:32] = 1
    assert labels_from_maps(maps, MapRule()).max() == 1
    for rule in (MapRule(boundary=1), MapRule(distance=2), MapRule(boundary=1, distance=2)):
        labels = labels_from_maps(maps, rule)
        assert (labels > 0).sum() == 300
        assert labels[10, 10] != labels[10, 30]
        assert labels.max() == 2
    assert labels_from_maps(maps, MapRule(min_area_px=301)).max() == 0
    assert labels_from_maps(np.zeros_like(maps), MapRule(boundary=1)).max() == 0


@pytest.mark.parametrize("tiling", [Tiling(16, 16, 4), Tiling(50, 7, 3), Tiling(8, 8, 6, 8), Tiling(5, 5, 99)])
@pytest.mark.parametrize("shape", [(1, 33, 40), (2, 5, 16)])
def test_tiles_cover_an_image_once(tiling: Tiling, shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(1).random(shape).astype(np.float32)
    sizes = set()

    def predict(tile: NDArray[np.float32]) -> NDArray[np.float32]:
        sizes.add(tile.shape[1:])
        return tile * 2

    assert (in_tiles(image, tiling, predict) == image * 2).all()
    assert len(sizes) == 1
    assert all(side % tiling.multiple == 0 for size in sizes for side in size)


STEPS = [
    (segment_onnx, "model", "net.onnx", "does not exist"),
    (segment_cellpose, "weights", "cpsam_v2", "cellpose.models import cache_model_path; cache_model_path('cpsam_v2')"),
    (segment_stardist, "weights", "2D_demo", "StarDist2D.from_pretrained('2D_demo')"),
    (segment_instanseg, "weights", "single_channel_nuclei", "InstanSeg('single_channel_nuclei')"),
]


@pytest.mark.parametrize(("function", "argument", "weights", "remedy"), STEPS)
def test_weights_that_are_missing_are_found_when_compiling_with_the_command_that_fetches_them(
    new_plate: NewPlate, tmp_path: Path, function: Any, argument: str, weights: str, remedy: str
) -> None:
    value = tmp_path / weights if function is segment_onnx else weights
    before = set(sys.modules)
    steps = [FunctionStep((function, {argument: value}))]
    with PipelineOrchestrator(new_plate(wells=1), steps, GlobalConfig()) as orchestrator:
        orchestrator.initialize()
        with pytest.raises(CompileError) as caught:
            orchestrator.compile()
    text = str(caught.value)
    assert remedy in text
    assert weights in text
    if function is not segment_onnx:
        assert "looked for" in text
        assert "a run does not download any" in text
    assert not {name for name in set(sys.modules) - before if name.partition(".")[0] in HEAVY}


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    modules: dict[str, Any] = {"onnx": onnx_step, "cellpose": cellpose, "stardist": stardist, "instanseg": instanseg}
    for extra, module in modules.items():
        assert f"is not installed: pip install 'openhcs-runtime[{extra}]'" in " ".join(module._problems())


def test_weights_are_found_by_path_and_where_the_libraries_store_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "cp"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("INSTANSEG_BIOIMAGEIO_PATH", str(tmp_path / "is"))
    files = [
        tmp_path / "cp" / "mine",
        tmp_path / "keras/models/StarDist2D/demo_extracted/demo/config.json",
        *(tmp_path / f"is/nuclei/{version}/instanseg.pt" for version in ("0.1.0", "0.1.1")),
    ]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert cellpose._file_of("mine") == cellpose._file_of(files[0]) == files[0]
    assert stardist._folder_of("demo") == stardist._folder_of(files[1].parent) == files[1].parent
    assert instanseg._file_of("nuclei") == instanseg._file_of(files[-1]) == files[-1]
    assert cellpose._file_of("other") is stardist._folder_of("other") is instanseg._file_of("other") is None


def test_arguments_that_can_not_be_right_are_refused_when_compiling() -> None:
    problems = list(onnx_step._problems("net.pt", normalize="most", output="mask", tile_px=32))
    assert [problem.split()[0] for problem in problems] == ["unknown", "unknown", "overlap_px", "model"]


def test_the_ready_steps_are_in_the_library_of_functions() -> None:
    import openhcs_runtime.functions

    assert function_libraries()[0].module == BUILT_IN
    assert {function.__name__ for function, *_ in STEPS} <= set(dir(openhcs_runtime.functions))
