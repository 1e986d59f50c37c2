"""Previews: equal to a run of the site, only what follows an edit is computed, and nothing stops a newer request."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
from PIL import Image

import openhcs_runtime
from openhcs_runtime import GlobalConfig, PipelineConfig, PipelineOrchestrator
from openhcs_runtime.components import ImageKey
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.outputs.states import StateTree
from openhcs_runtime.outputs.wells import read_part
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.pipeline.used_files import UsedFiles
from openhcs_runtime.preview import PreviewClient, PreviewRequest, PreviewResult
from openhcs_runtime.preview.picture import write_picture
from openhcs_runtime.preview.runner import PreviewRunner
from openhcs_runtime.preview.store import KeptState, StateStore
from openhcs_runtime.results import PlateResult, ResultStatus

NewPlate = Callable[..., Path]

NUCLEI = (Path(openhcs_runtime.__file__).parent / "builtin" / "nuclei_count.py").read_text()
CHANNELS = """
import numpy as np
from openhcs_runtime import Component, FunctionStep, GlobalConfig, InputKind, Measurements, OutputKind
from openhcs_runtime import special_inputs, special_outputs
from openhcs_runtime.functions import max_projection, measure_intensity, segment_nuclei

global_config = GlobalConfig(seed=7)

def brighter(stack, *, by=1.0):
    stack += stack.dtype.type(by)  # in place, which must not change what was kept
    return stack + np.random.normal(0, 1, stack.shape)

@special_inputs(InputKind.RNG)
@special_outputs(OutputKind.MEASUREMENTS)
def draw(stack, *, rng, scale=1.0):
    return stack, [Measurements({"drawn": float(rng.normal(0, scale)), "mean": float(plane.mean())}) for plane in stack]

Z = (Component.Z_INDEX,)
pipeline_steps = [
    FunctionStep(max_projection, variable_components=Z),
    FunctionStep(brighter, variable_components=Z),
    FunctionStep({1: segment_nuclei}, name="Segment", group_by=Component.CHANNEL),
    FunctionStep((draw, {"scale": 1.0})),
    FunctionStep(measure_intensity),
]
"""
PLATE = """
import numpy as np
from openhcs_runtime import Component, FunctionStep, PlateStep, plate_inputs, plate_output
from openhcs_runtime.functions import segment_nuclei

@plate_output("dark", per=Component.CHANNEL)
def darkest(plate):
    return {channel: 50.0 * channel for channel in plate.channels}

@plate_inputs("dark")
def subtract(stack, *, dark):
    return stack - np.asarray(dark)[:, None, None]

pipeline_steps = [
    PlateStep(darkest), FunctionStep(subtract), FunctionStep({1: segment_nuclei}, group_by=Component.CHANNEL)
]
"""
PLAIN = """
import numpy as np
from openhcs_runtime import FunctionStep
FACTOR = 1

def scaled(stack):
    return stack * FACTOR

pipeline_steps = [FunctionStep(scaled)]
"""


@pytest.fixture
def plate(new_plate: NewPlate) -> Path:
    return new_plate(wells=2, sites=2, channels=2, z=2, size=96)


@pytest.fixture
def client() -> Iterator[PreviewClient]:
    client = PreviewClient()
    yield client
    pids = client.pids()
    client.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def _asked(plate: Path, text: str, **place: object) -> PreviewRequest:
    return PreviewRequest(plate_path=str(plate), pipeline=text, well="A01", **{"site": 2, **place})  # type: ignore[arg-type]


def _preview(runner: PreviewRunner, request: PreviewRequest) -> PreviewResult:
    result = runner.run(request)
    assert result is not None
    return result


def _run(plate: Path, text: str, folder: Path, **config: object) -> PlateResult:
    settings = PipelineConfig(results_dir=str(folder), **config)  # type: ignore[arg-type]
    machine = GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS, seed=7 if "seed=7" in text else None)
    with PipelineOrchestrator(plate, load_pipeline(text), machine, settings) as orchestrator:
        result = orchestrator.run()
    assert result.status is ResultStatus.COMPLETE, result
    return result


def _labels_in(run: PlateResult) -> list[np.ndarray]:
    return [tifffile.imread(path) for path in sorted(Path(run.output_dir, "labels").rglob("A01*.tif"))]


@pytest.mark.parametrize("text", [NUCLEI, CHANNELS], ids=["nuclei", "channels"])
def test_a_preview_is_what_a_run_of_the_site_makes(plate: Path, tmp_path: Path, text: str) -> None:
    runner = PreviewRunner()
    request = _asked(plate, text)
    edited = text.replace('"radius_px": 200.0', '"radius_px": 20.0').replace('"scale": 1.0', '"scale": 3.0')
    for each in (text, edited, text):
        found = _preview(runner, _asked(plate, each))
        run = _run(plate, each, tmp_path / "results", wells=("A01",), sites=(2,))
        part = read_part(Path(run.output_dir), "A01")
        assert part is not None
        assert found.problem is None
        (labels,) = _labels_in(run)
        assert labels.any()
        np.testing.assert_array_equal(found.labels["nuclei"], labels)
        assert sum(found.counts.values()) == sum(table.rows for table in part.tables) or not part.tables
        assert list(found.measurements.values()) == [image.values for image in part.measured]
    assert all(step.is_kept for step in _preview(runner, request).steps)


def test_only_the_steps_after_an_edit_are_computed(plate: Path, tmp_path: Path) -> None:
    begun: list[str] = []
    runner = PreviewRunner(begun.append)
    _preview(runner, _asked(plate, CHANNELS))
    begun.clear()
    edited = _preview(runner, _asked(plate, CHANNELS.replace('"scale": 1.0', '"scale": 2.0')))
    assert begun == ["step 4 'draw'", "step 5 'measure_intensity'"]
    assert [step.is_kept for step in edited.steps] == [True, True, True, False, False]
    assert [note.partition(":")[0] for note in edited.notes] == [
        f"{step} draws random numbers" for step in ("2. brighter", "4. draw")
    ]
    begun.clear()
    image = _preview(runner, _asked(plate, CHANNELS, image_after=1, channel=2))
    assert (begun, image.image_after) == ([], 1)
    assert image.image is not None
    write_picture(tmp_path / "one.png", image)
    drawn = np.asarray(Image.open(tmp_path / "one.png"))
    assert (drawn[..., 0] != drawn[..., 2]).any(), "outlines"
    of_plate = _preview(runner, _asked(plate, CHANNELS, image_after=0, channel=2))
    assert of_plate.image is not None
    assert (image.image >= of_plate.image).all()


@pytest.mark.parametrize(
    ("old", "new", "step", "text"),
    [
        ("stack += stack.dtype.type(by)", "raise ValueError('too bright')", 2, "too bright: change this step"),
        ('"scale": 1.0', '"scales": 1.0', 4, "step 4 'draw': draw: got an unexpected keyword argument"),
        ("seed=7", "seed=", 0, "pipeline.py:7: syntax error"),
    ],
)
def test_a_problem_names_its_step_and_what_earlier_steps_made_is_there(
    plate: Path, old: str, new: str, step: int, text: str
) -> None:
    found = _preview(PreviewRunner(), _asked(plate, CHANNELS.replace(old, new)))
    assert found.problem is not None
    assert found.problem.step == step
    assert text in found.problem.text
    if step == 2:
        assert [each.seconds is not None for each in found.steps] == [True, False, False, False, False]
        assert "ValueError" in found.problem.details


def test_the_value_of_a_step_over_the_plate_is_that_of_the_newest_run(plate: Path) -> None:
    runner = PreviewRunner()
    before = _preview(runner, _asked(plate, PLATE))
    assert "correction of the plate is not applied in the preview" in before.notes[0]
    assert [step.is_left_out for step in before.steps] == [True, True, False]
    _run(plate, PLATE, plate.parent / f"{plate.name}_results")
    after = _preview(runner, _asked(plate, PLATE, z_index=2, image_after=2))
    original = _preview(runner, _asked(plate, PLATE, z_index=2, image_after=0))
    assert after.notes == ()
    assert after.image is not None
    assert original.image is not None
    np.testing.assert_array_equal(after.image, original.image - 50.0)
    changed = PLATE.replace("50.0 *", "60.0 *")
    assert len(_preview(runner, _asked(plate, changed)).notes) == 1


def test_an_image_of_the_plate_that_was_replaced_is_read_again(plate: Path) -> None:
    runner = PreviewRunner()
    first = _preview(runner, _asked(plate, PLAIN))
    for path in plate.rglob("*.tif*"):
        tifffile.imwrite(path, np.full((96, 96), 9, np.uint16))
    second = _preview(runner, _asked(plate, PLAIN))
    assert first.image is not None
    assert second.image is not None
    assert first.image.max() > 9
    assert (second.image == 9).all()


def test_kept_results_are_bounded() -> None:
    store = StateStore(10_000)
    for number in range(5):
        plane = np.zeros((50, 50), np.uint8)
        tree = StateTree(images=[(ImageKey("A01"), plane)], labels=[], measured=[], kinds=[], objects=[], read=[])
        store.keep(str(number), KeptState(tree, UsedFiles(), 0.0))
    assert (len(store), store.bytes()) == (4, 10_000)
    assert store.find("0") is None
    assert store.find("4") is not None


@pytest.fixture
def gates(tmp_path: Path) -> Callable[[str], Path]:
    """Pipes that a function opens when it has begun."""

    def new(name: str) -> Path:
        path = tmp_path / name
        os.mkfifo(path)
        return path

    return new


def _text(body: str, gate: Path | None = None) -> str:
    """A pipeline whose function opens the gate, and then does what the body says."""
    begun = "" if gate is None else f"    open({str(gate)!r}, 'w').close()\n"
    function = f"def own(stack):\n{begun}    {body}\n"
    return f"from openhcs_runtime import FunctionStep\n\n{function}\npipeline_steps = [FunctionStep(own)]\n"


def test_a_function_that_never_ends_crashes_or_is_edited_does_not_stop_the_next_request(
    plate: Path, client: PreviewClient, gates: Callable[[str], Path], tmp_path: Path
) -> None:
    text = "from mine import plus\nfrom openhcs_runtime import FunctionStep\npipeline_steps = [FunctionStep(plus)]\n"
    request = _asked(plate, text, pipeline_folder=str(tmp_path))
    for value in (1, 23):  # the second one is loaded by another process
        (tmp_path / "mine.py").write_text(f"def plus(stack):\n    return stack * 0 + {value}\n")
        image = client.ask(request).result(60).image
        assert image is not None
        assert (image == value).all()
    gate = gates("begun")
    stuck = client.ask(_asked(plate, _text("while True: pass", gate)))
    gate.read_text()
    (first, *_) = client.pids()
    image = client.ask(_asked(plate, PLAIN)).result(60).image
    assert image is not None
    with pytest.raises(CancelledError):
        stuck.result(0)
    assert first not in client.pids()
    crashed = client.ask(_asked(plate, _text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))).result(60)
    assert crashed.problem is not None
    assert crashed.problem.step == 1
    assert "ended in step 1 'own' (killed by SIGSEGV): change this step" in crashed.problem.text
    assert client.ask(_asked(plate, PLAIN)).result(60).problem is None


def test_a_preview_that_needs_too_much_memory_is_ended(plate: Path) -> None:
    client = PreviewClient(most_bytes=1 << 20)
    try:
        found = client.ask(_asked(plate, _text("while True: pass"))).result(60)
    finally:
        client.close()
    assert found.problem is not None
    assert "needs more than 0.0 GiB of memory" in found.problem.text


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_process_ends_with_a_window_that_is_killed(plate: Path, gates: Callable[[str], Path]) -> None:
    gate = gates("begun")
    program = (
        "from openhcs_runtime.preview import PreviewClient, PreviewRequest\n"
        "client = PreviewClient()\n"
        f"text = {_text('while True: pass', gate)!r}\n"
        f"client.ask(PreviewRequest(plate_path={str(plate)!r}, pipeline=text, well='A01')).result()\n"
    )
    window = subprocess.Popen([sys.executable, "-c", program])
    gate.read_text()
    children = psutil.Process(window.pid).children(recursive=True)
    window.send_signal(signal.SIGKILL)
    window.wait()
    assert children
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
