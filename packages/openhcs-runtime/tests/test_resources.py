"""What steps ask for, the GPUs that are found, and the book of who uses them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig, PipelineError, load_pipeline, to_source
from openhcs_runtime.engine.compiler import compile_plate
from openhcs_runtime.engine.devices.choice import RunDevices, find_devices
from openhcs_runtime.engine.devices.environment import device_environment
from openhcs_runtime.engine.devices.out_of_memory import is_out_of_memory
from openhcs_runtime.engine.devices.slots import SlotBook, SlotRequest
from openhcs_runtime.exceptions import CompileError, StepError, WorkerError
from openhcs_runtime.functions import max_projection, segment_nuclei
from openhcs_runtime.pipeline.place import Gpu
from openhcs_runtime.pipeline.resources import StepResources
from openhcs_runtime.plates import open_plate

GB = 10**9
FIRST, SECOND = Gpu("GPU-aa11", 0, "Fake 1", 8 * GB, 6 * GB), Gpu("GPU-bb22", 1, "Fake 2", 8 * GB, 6 * GB)


class FakeNvml:
    """Stands in for the module ``pynvml``, on a machine with two cards."""

    class NVMLError(Exception):
        pass

    def __init__(self, *, has_driver: bool = True) -> None:
        self.has_driver = has_driver

    def nvmlInit(self) -> None:
        if not self.has_driver:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlShutdown(self) -> None:
        pass

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Gpu:
        return (FIRST, SECOND)[index]

    def nvmlDeviceGetUUID(self, handle: Any) -> bytes:
        return str(handle.key).encode()

    def nvmlDeviceGetName(self, handle: Any) -> str:
        return str(handle.name)

    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> "FakeMemory":
        return FakeMemory(handle.memory_bytes, handle.free_bytes)


@dataclasses.dataclass
class FakeMemory:
    total: int
    free: int


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"gpu": 2}, "gpu 2 is not a share of a GPU"),
        ({"gpu": True}, "gpu True is not a share of a GPU"),
        ({"gpu": float("nan")}, "gpu nan is not a share of a GPU"),
        ({"memory": "4 gigs"}, "memory '4 gigs' is not an amount of memory"),
        ({"memory": 0}, "memory 0 is not an amount of memory"),
        ({"memory": "0 GB"}, "memory '0 GB' is not an amount of memory"),
        ({"threads": 0}, "threads 0 is not a number of threads"),
        ({"threads": 1.5}, "threads 1.5 is not a number of threads"),
    ],
)
def test_a_resource_that_is_not_valid_is_refused_with_the_step(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineError, match=f"step 'max_projection': {said}"):
        FunctionStep(max_projection, **arguments)


def test_resources_are_read_by_one_rule() -> None:
    step = FunctionStep(max_projection, gpu=0.5, memory="1.5 gb", threads=4)
    assert step.resources == StepResources(0.5, 1_500_000_000, 4)
    assert FunctionStep(max_projection, gpu=None, memory=2048).resources == StepResources(0, 2048)
    assert FunctionStep(max_projection, memory="500MB").resources.memory_bytes == 500 * 10**6
    assert FunctionStep(max_projection, gpu=None) == FunctionStep(max_projection)
    assert "gpu=0.5" in repr(step)


def test_resources_are_written_as_source_and_read_again() -> None:
    steps = (FunctionStep(segment_nuclei, gpu=0.5, memory="4 GB"), FunctionStep(max_projection, threads=2))
    source = to_source(steps, global_config=GlobalConfig(gpus="0,1"))
    assert 'FunctionStep(segment_nuclei, gpu=0.5, memory="4 GB")' in source
    assert 'gpus="0,1"' in source
    assert load_pipeline(source).steps == steps
    assert "gpu" not in to_source([FunctionStep(max_projection, gpu=None)])


def test_resources_do_not_change_the_signatures_of_wells(small_plate: Path, tmp_path: Path) -> None:
    def signatures(**resources: Any) -> list[str]:
        steps = [FunctionStep(segment_nuclei, **resources)]
        compiled = compile_plate(open_plate(small_plate), steps, GlobalConfig(), PipelineConfig(), tmp_path / "out")
        return [plan.signature for plan in compiled.wells]

    assert signatures() == signatures(gpu=1, memory="1 GB", threads=2)


def test_memory_that_the_machine_or_the_gpu_does_not_have_is_found_when_compiling(
    small_plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openhcs_runtime.engine.devices.choice.load_nvml", FakeNvml)

    def compiled(config: GlobalConfig | None = None, **resources: Any) -> Any:
        steps = [FunctionStep(segment_nuclei, **resources)]
        return compile_plate(open_plate(small_plate), steps, config or GlobalConfig(), PipelineConfig(), tmp_path / "o")

    with pytest.raises(CompileError, match=r"step 1 'segment_nuclei': needs 9 GB of GPU memory.* has 8 GB: use"):
        compiled(gpu=1, memory="9 GB")
    with pytest.raises(CompileError, match=r"there is no GPU 2 on this machine: choose among 0 \(Fake 1\), 1"):
        compiled(GlobalConfig(gpus="2"), gpu=1)
    with pytest.raises(CompileError, match=r"needs about 9e\+03 GB of memory"):
        compiled(memory="9 TB")
    assert compiled(gpu=1, memory="8 GB").memory_per_well_bytes < GB


@pytest.mark.parametrize("gpus", ["", "0,0", "one", "0;1", "GPU 0"])
def test_gpus_that_are_not_valid_are_refused(gpus: str) -> None:
    with pytest.raises(PipelineError, match="GlobalConfig: gpus"):
        GlobalConfig(gpus=gpus)


@pytest.mark.parametrize(
    ("gpus", "environment", "keys"),
    [
        ("auto", {}, ["GPU-aa11", "GPU-bb22"]),
        ("auto", {"CUDA_VISIBLE_DEVICES": "1"}, ["GPU-bb22"]),
        ("auto", {"CUDA_VISIBLE_DEVICES": "GPU-bb"}, ["GPU-bb22"]),
        ("auto", {"CUDA_VISIBLE_DEVICES": ""}, []),
        ("auto", {"CUDA_VISIBLE_DEVICES": "-1"}, []),
        ("1", {}, ["GPU-bb22"]),
        ("1,GPU-aa11", {}, ["GPU-bb22", "GPU-aa11"]),
        ("none", {}, []),
    ],
)
def test_gpus_are_found_or_named(gpus: str, environment: dict[str, str], keys: list[str]) -> None:
    found = find_devices(gpus, FakeNvml(), environment)
    assert [device.key for device in found.devices] == keys
    assert bool(found.why_none) is not bool(keys)
    assert found.hides_others


def test_threads_know_a_gpu_by_its_number_among_the_visible_ones() -> None:
    assert find_devices("auto", FakeNvml(), {}).ordinal(SECOND) == 1
    assert find_devices("auto", FakeNvml(), {"CUDA_VISIBLE_DEVICES": "1,0"}).ordinal(SECOND) == 0


def test_a_machine_without_a_driver_has_no_gpus_unless_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = FakeNvml(has_driver=False)
    assert find_devices("auto", broken, {}) == RunDevices((), "no GPU was found", hides_others=True)
    with pytest.raises(WorkerError, match="no GPU 5"):
        find_devices("5", FakeNvml(), {})
    assert [device.label for device in find_devices("5", broken, {}).devices] == ["GPU 5"]
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)  # as if it were not installed
    assert "pip install 'openhcs-runtime[gpu]'" in find_devices("auto", None, {}).why_none
    assert [device.key for device in find_devices("auto", None, {"CUDA_VISIBLE_DEVICES": "3"}).devices] == ["3"]


def test_a_worker_sees_only_its_own_gpu() -> None:
    assert device_environment(FIRST) == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "GPU-aa11"}
    assert device_environment(Gpu("1", 1))["HIP_VISIBLE_DEVICES"] == "1"
    assert device_environment(None)["CUDA_VISIBLE_DEVICES"] == "-1"


def _asked(book: SlotBook, **wanted: SlotRequest) -> list[str]:
    return [grant.who for who, request in wanted.items() for grant in book.ask(who, request)]


def _request(share: float = 1.0, **more: Any) -> SlotRequest:
    return SlotRequest(share, devices=more.pop("devices", (FIRST,)), **more)


def test_a_gpu_is_given_in_the_order_of_the_requests_and_its_shares_add_up_to_one() -> None:
    book = SlotBook(4)
    assert _asked(book, a=_request(0.5), b=_request(0.5), c=_request(1), d=_request(0.5)) == ["a", "b"]
    assert book.give_back("a") == []  # c is next, and needs all of it
    assert [grant.who for grant in book.give_back("b")] == ["c"]
    assert book.give_back("d") == []  # d was cancelled
    assert book.give_back("c") == []
    assert _asked(book, **{str(number): _request(0.1) for number in range(11)}) == [str(n) for n in range(10)]


def test_a_request_gets_the_gpu_that_is_used_least() -> None:
    book = SlotBook(4)
    both = {"devices": (FIRST, SECOND)}
    grants = [book.ask(who, _request(0.5, **both))[0].device for who in "abc"]
    assert grants == [FIRST, SECOND, FIRST]
    assert _asked(book, d=_request(1, **both)) == []
    assert [grant.device for grant in book.give_back("b")] == [SECOND]


def test_wells_share_a_gpu_only_if_its_memory_suffices_and_none_that_has_to_be_alone() -> None:
    book = SlotBook(4)
    assert _asked(book, a=_request(0.2, memory_bytes=4 * GB), b=_request(0.2, memory_bytes=4 * GB)) == ["a"]
    assert [grant.who for grant in book.give_back("a")] == ["b"]
    assert _asked(book, c=_request(0.1, alone=True), d=_request(0.1)) == []
    assert [grant.who for grant in book.give_back("b")] == ["c"]
    assert [grant.who for grant in book.give_back("c")] == ["d"]
    book.give_back("d")
    assert _asked(book, e=_request(0.2, memory_bytes=7 * GB)) == ["e"]  # more than is free, and nobody else is there


def test_steps_with_threads_share_the_cores_and_at_least_one_runs() -> None:
    book = SlotBook(4)
    cpu: dict[str, Any] = {"share": 0.0, "devices": ()}
    assert _asked(book, a=_request(threads=3, **cpu), b=_request(threads=2, **cpu), c=_request(threads=1)) == ["a", "c"]
    assert [grant.who for grant in book.give_back("a")] == ["b"]
    book.give_back("b")
    assert _asked(book, d=_request(threads=99, **cpu), e=_request(threads=2, **cpu)) == ["d"]
    with pytest.raises(ValueError, match="d has asked already"):
        book.ask("d", _request())


def _torch_error() -> Exception:
    kind: type[Exception] = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch.cuda"})
    return kind("CUDA out of memory")


def _onnx_error(text: str) -> Exception:
    module = "onnxruntime.capi.onnxruntime_pybind11_state"
    kind: type[Exception] = type("RuntimeException", (Exception,), {"__module__": module})
    return kind(text)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (_torch_error, True),
        (lambda: _onnx_error("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer"), True),
        (lambda: RuntimeError("CUDA error: out of memory"), True),
        (lambda: RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (MemoryError, True),
        (lambda: ValueError("the patient is out of memory"), False),
        (lambda: _onnx_error("Invalid rank for input"), False),
    ],
)
def test_running_out_of_memory_is_recognised_also_as_the_cause_of_another_error(
    make: Callable[[], Exception], expected: bool
) -> None:
    error = StepError("f failed")
    error.__cause__ = make()
    assert is_out_of_memory(error) is expected
