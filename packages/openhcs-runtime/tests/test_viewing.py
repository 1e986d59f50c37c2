"""What a run shows in a viewer while it goes on, with a real viewer on a real socket."""

import contextlib
import importlib.util
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openhcs_runtime import (
    ExecutionMode,
    FunctionStep,
    GlobalConfig,
    PipelineConfig,
    PipelineOrchestrator,
    builtin_pipeline,
)
from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import OutputError, PipelineError, ViewerError
from openhcs_runtime.functions import measure_objects, segment_nuclei, subtract_background
from openhcs_runtime.results import ResultStatus
from openhcs_runtime.rois import Mask, Polygon
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.terminal.progress import RunProgress
from openhcs_runtime.testing import CommandLine, Finished, Gate
from openhcs_runtime.viewer_target import ViewCounts, ViewTarget
from openhcs_runtime.viewers import live
from openhcs_runtime.viewers.colours import channel_colormap
from openhcs_runtime.viewers.fiji import FijiProcessManager
from openhcs_runtime.viewers.fiji.java import find_installation
from openhcs_runtime.viewers.live import image_position
from openhcs_runtime.viewers.napari import NapariProcessManager
from openhcs_runtime.viewers.picture_kind import PictureKind
from openhcs_runtime.viewers.results import find_images, find_pictures
from openhcs_runtime.viewers.rois import mask_labels, shapes_of
from openhcs_runtime.viewers.start import _reason, open_viewer
from openhcs_runtime.viewers.view_counts import ViewTally
from zmqruntime import ConfigurationError, Shape
from zmqruntime.execution import local_task
from zmqruntime.messages import ShapeKind
from zmqruntime.streaming import Position, StreamingVisualizerServer

PORT = 5601
VIEW = f"fiji:{PORT}"


class Viewer(StreamingVisualizerServer):
    """Keeps what it is to show."""

    def __init__(self) -> None:
        super().__init__(PORT, config=OPENHCS_CONFIG)
        self.images: dict[tuple[str, str], dict[str, Any]] = {}
        self.points: dict[tuple[str, str], dict[str, list[Any]]] = {}
        self.went_to: list[Position] = []
        self.changed = threading.Condition()

    def display_image(self, image_data: NDArray[Any], metadata: dict[str, Any]) -> None:
        key = metadata["layer_name"], metadata["position"]["well"]
        with self.changed:
            self.images[key] = {**metadata, "max": int(image_data.max()), "shape": image_data.shape}
            self.changed.notify_all()

    def navigate(self, position: Position) -> None:
        self.went_to.append(position)

    def display_points(self, points: NDArray[Any], features: dict[str, list[Any]], metadata: dict[str, Any]) -> None:
        self.points[metadata["layer_name"], metadata["position"]["well"]] = features

    def display_shapes(self, shapes: list[Shape], metadata: dict[str, Any]) -> None:
        raise AssertionError("no step makes regions")


@pytest.fixture
def viewer(isolated_home: Path, no_leaks: None) -> Iterator[Viewer]:
    with Viewer() as viewer:
        yield viewer


STEPS = [
    FunctionStep(subtract_background, name="Correct", materialize=False),
    FunctionStep(segment_nuclei, name="Segment"),
    FunctionStep((measure_objects, {"name": "nuclei"}), name="Measure"),
]


def run(plate: Path, output: Path, steps: Any = None, **settings: Any) -> Any:
    config = GlobalConfig(**{"num_workers": 2, "view": VIEW, **settings})
    with PipelineOrchestrator(plate, steps or STEPS, config, PipelineConfig(output_dir=str(output))) as orchestrator:
        return orchestrator.run()


def test_wells_appear_in_the_viewer(viewer: Viewer, new_plate: Callable[..., Path], tmp_path: Path) -> None:
    plate = new_plate(wells=4, sites=1)
    (plate / "platemap.csv").write_text("well,compound,dose_um\nA1,X,0.3\nA2,,\n")
    result = run(plate, tmp_path / "out", mode="threads")
    assert result.status is ResultStatus.COMPLETE
    wells = ["A01", "A02", "A03", "A04"]
    assert sorted(viewer.images) == sorted((layer, well) for layer in ("Measure", "Segment labels") for well in wells)
    assert sorted(viewer.points) == [("Measure objects", well) for well in wells]
    assert viewer.images["Segment labels", "A01"]["kind"] == "labels"
    assert viewer.images["Segment labels", "A01"]["max"] == len(viewer.points["Measure objects", "A01"]["label"])
    assert viewer.images["Measure", "A01"]["pixel_size"] == pytest.approx(0.65)
    assert result.viewed == ViewCounts(sent=12, displayed=12)
    assert result.to_dict()["viewed"]["displayed"] == 12
    for layer in ("Measure", "Segment labels"):
        assert viewer.images[layer, "A01"]["well_text"] == "compound X, dose_um 0.3"
        assert "well_text" not in viewer.images[layer, "A02"]
    later = find_pictures(tmp_path / "out").pictures
    assert {(one.key.well, one.metadata.get("well_text")) for one in later} == {
        ("A01", "compound X, dose_um 0.3"),
        ("A02", None),
        ("A03", None),
        ("A04", None),
    }


def test_only_steps_that_say_so_are_shown_when_one_does(
    viewer: Viewer, new_plate: Callable[..., Path], tmp_path: Path
) -> None:
    shown = [FunctionStep(subtract_background, name="Correct", stream=True), *STEPS[1:]]
    plate = new_plate(wells=1)
    result = run(plate, tmp_path / "out", shown, mode="threads")
    assert list(viewer.images) == [("Correct", "A01")]
    assert result.viewed == ViewCounts(sent=1, displayed=1)
    without = run(plate, tmp_path / "without", STEPS, mode="threads", view=None)
    assert (without.signature, without.viewed) == (result.signature, None)


def test_a_run_does_not_need_its_viewer(
    isolated_home: Path, no_leaks: None, new_plate: Callable[..., Path], tmp_path: Path
) -> None:
    result = run(new_plate(wells=2), tmp_path / "out", mode="processes")
    assert result.status is ResultStatus.COMPLETE
    assert result.viewed.sent == 6
    assert result.viewed.displayed == 0


def test_progress_tells_how_far_the_viewer_is(viewer: Viewer, new_plate: Callable[..., Path], tmp_path: Path) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    with PipelineOrchestrator(
        new_plate(wells=2),
        STEPS,
        GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS, view=VIEW),
        PipelineConfig(output_dir=str(tmp_path / "out")),
        progress_callback=lambda axis, step, status, more: told.append((step, more)),
    ) as orchestrator:
        orchestrator.run()
    last = [more for step, more in told if step == "viewer"][-1]
    assert (last["axis_id"], last["completed"], last["total"]) == ("", 6, 6)
    assert (last["message"], last["status"]) == (None, "completed"), "numbers; who shows them finds the words"


def test_what_the_viewers_of_all_workers_have_shown_is_one_line_in_the_terminal() -> None:
    board = RunProgress()
    with local_task(board.apply) as task:
        tally = ViewTally(task)
        tally.on_counts("first", ViewCounts(sent=4, displayed=1))
        tally.on_counts("second", ViewCounts(sent=2_000, displayed=1_000, failed=1, skipped=20))
        tally.on_counts("first", ViewCounts(sent=5, displayed=3, skipped=1))
        assert tally.end() == ViewCounts(sent=2_005, displayed=1_003, failed=1, skipped=21)
    assert board.view().viewer == ViewCounts(sent=2_005, displayed=1_003, failed=1, skipped=21)
    assert str(board.view().viewer) == "displayed 1,003/2,005, skipped 21, failed 1"
    assert board.view().fraction == 0, "a viewer is not a well"


def test_a_cancelled_run_waits_for_no_viewer(
    isolated_home: Path, no_leaks: None, new_plate: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_CLOSE_SECONDS", 3600)
    monkeypatch.setattr(live, "_STALL_SECONDS", 3600)
    go_on = threading.Event()

    class Hanging(Viewer):
        def display_image(self, image_data: NDArray[Any], metadata: dict[str, Any]) -> None:
            orchestrator.cancel()
            go_on.wait()

    config = GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS, view=VIEW)
    with (
        Hanging(),
        PipelineOrchestrator(
            new_plate(wells=2), STEPS, config, PipelineConfig(output_dir=str(tmp_path / "out"))
        ) as orchestrator,
    ):
        viewed = orchestrator.run().viewed
        assert viewed is not None
        assert viewed.displayed == 0
        go_on.set()


def test_run_and_view_of_the_command_line(
    shared_command: CommandLine, new_plate: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(shared_command.home))
    plate = new_plate(wells=2)
    with Viewer() as viewer:
        target = f"127.0.0.1:{PORT + 1}"
        # A viewer of another kind of address than the one that is there: nothing comes, and the run does not mind.
        lonely = shared_command("run", plate, "--view", target, "--output", tmp_path / "lonely", "--json")
        assert (lonely.code, viewer.images) == (0, {})
        assert lonely.document["result"]["viewed"]["displayed"] == 0
        assert "it did not answer" in shared_command("watch", lonely.document["execution_id"]).stdout

        finished = shared_command("run", plate, "--view", VIEW, "--output", tmp_path / "out")
        assert finished.code == 0, finished.stderr
        assert "displayed" in finished.stdout
        assert ("Segment labels", "A02") in viewer.images

        viewer.images.clear()
        on_dask = shared_command(
            "run", plate, "--dask", "local", "--view", VIEW, "--output", tmp_path / "dask", "--json"
        )
        assert (on_dask.code, on_dask.stderr) == (0, "")
        viewed = on_dask.document["result"]["viewed"]
        assert viewed["displayed"] == viewed["sent"] == 6
        assert ("Segment labels", "A02") in viewer.images

        viewer.images.clear()
        again = shared_command("view", tmp_path / "out", "--view", VIEW, "--wells", "A02", "--json")
        assert (again.code, again.document["displayed"]) == (0, 2)
        assert sorted(viewer.images) == [("labels", "A02"), ("plate", "A02")]
        assert viewer.images["plate", "A02"]["position"]["run"] == str(tmp_path / "out")

        viewer.images.clear()
        images = shared_command("view", plate, "--view", VIEW, "--wells", "A02")
        assert images.code == 0, images.stderr
        assert f"Only the images of {plate.name} are shown: the plate has not been run" in images.stdout
        assert {key: "run" in image["position"] for key, image in viewer.images.items()} == {("plate", "A02"): False}
        assert viewer.went_to[-1] == {"plate": str(plate), "run": "", "well": "A02"}
        nothing = shared_command("view", tmp_path / "out", "--view", VIEW, "--only", "regions")
        assert nothing.code == 2
        assert "has no regions to show" in nothing.stderr


def test_a_viewer_that_does_not_start_is_a_warning(
    shared_command: CommandLine, new_plate: Callable[..., Path], tmp_path: Path
) -> None:
    shared_command.environment["DISPLAY"] = ":nowhere"
    shared_command.environment["IJ_JAR"] = str(tmp_path / "missing.jar")
    finished = shared_command("run", new_plate(wells=1), "--view", "fiji:5602", "--output", tmp_path / "out")
    assert finished.code == 0, finished.stderr
    assert "Warning: fiji" in finished.stderr
    assert "continuing without it" in finished.stderr
    assert "1 complete" in finished.stdout


def _has_napari() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("napari", "PyQt6"))


def _has_fiji() -> bool:
    if importlib.util.find_spec("jpype") is None or shutil.which("java") is None:
        return False
    try:
        find_installation()
    except ConfigurationError:
        return False
    return True


def _finish(process: Any) -> Finished:
    """Windows take their time to open on a busy machine."""
    with process:
        stdout, stderr = process.communicate(timeout=200)
    return Finished(process.returncode, stdout, stderr)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("view", "make"),
    [
        pytest.param(
            "napari:5630",
            NapariProcessManager,
            marks=pytest.mark.skipif(not _has_napari(), reason="napari or PyQt6 is not installed"),
        ),
        pytest.param(
            "fiji:5632",
            FijiProcessManager,
            marks=pytest.mark.skipif(not _has_fiji(), reason="jpype, Java or ImageJ is not installed"),
        ),
    ],
)
def test_real_viewers_show_runs_and_results_and_may_be_closed_at_any_time(
    view: str,
    make: Any,
    display: str,
    command: CommandLine,
    new_plate: Callable[..., Path],
    gate: Gate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(command.home))
    command.environment.update(DISPLAY=display, QT_QPA_PLATFORM="offscreen")  # napari must not heed the latter
    plate, out = new_plate(wells=2), tmp_path / "out"
    viewer = make(ViewTarget.parse(view).port, config=OPENHCS_CONFIG)
    with contextlib.ExitStack() as stack:
        stack.callback(viewer.stop)
        shown = _finish(command.start("run", plate, "--view", view, "--output", out))
        assert (shown.code, shown.stderr) == (0, "")
        displayed, sent = re.findall(r"displayed (\d+)/(\d+)", shown.stdout)[-1]
        assert sent == "6"
        assert 1 <= int(displayed) <= 6  # it waits for a slow viewer, but not for ever

        results = _finish(command.start("view", out, "--view", view, "--json"))
        assert (results.code, results.document["failed"]) == (0, 0)
        assert results.document["displayed"] == results.document["pictures"] == 4

        waiting = command.start(
            "run", plate, "--view", view, "--pipeline", gate.pipeline, "--output", tmp_path / "held", "--json"
        )
        gate.wait_for_well()
        viewer.stop()
        gate.open()
        closed = _finish(waiting)
        assert (closed.code, closed.stderr) == (0, "")
        viewed = closed.document["result"]["viewed"]
        assert (viewed["sent"], viewed["displayed"]) == (2, 0)


def test_bad_viewers_are_named(shared_command: CommandLine, small_plate: Path) -> None:
    for arguments, reason in (
        (("--view", "paint"), "'paint' is not a viewer"),
        (("--view", "host:99999"), "is not a viewer"),
        (("--view-components", "site=layer"), "needs a viewer"),
        (("--view", "napari", "--view-components", "site=frame"), "site=frame"),
        (("--view", "napari", "--view-components", "smell=layer"), "unknown component 'smell'"),
        (("--view", "a:5", "--view-components", "site=layer"), "which is already running"),
    ):
        finished = shared_command("run", small_plate, *arguments)
        assert (finished.code, finished.stdout) == (2, "")
        assert reason in " ".join(finished.stderr.split())


def test_the_images_of_wells_without_results_are_shown_and_the_reason_is_said(
    new_plate: Callable[..., Path], tmp_path: Path
) -> None:
    plate = new_plate(wells=3)
    bad = next((plate / "TimePoint_1").glob("*_A02_*.tif"))
    bad.write_bytes(bad.read_bytes()[:200])
    run(plate, tmp_path / "out", mode="threads", view=None)
    some = find_pictures(tmp_path / "out", wells=("A02",), unfinished=True)
    assert {picture.kind for picture in some.pictures} == {PictureKind.PLATE}
    assert re.match(r"well A02 failed in step 'Correct', only its images are shown: .*_A02_", some.problems[0])
    everything = find_pictures(tmp_path / "out", unfinished=True)
    assert [picture.key.well for picture in everything.pictures] == ["A01", "A01", "A02", "A03", "A03"]
    with pytest.raises(OutputError, match="A02"):
        find_pictures(tmp_path / "out", wells=("A02",))
    with pytest.raises(OutputError, match="Z09"):
        find_pictures(tmp_path / "out", wells=("Z09",), unfinished=True)
    with pytest.raises(OutputError, match=r"no images of well\(s\) Z09 .*it has A01, A02, A03"):
        find_images(plate, ("Z09",))


def test_the_useful_line_of_a_log_is_told() -> None:
    log = "INFO ready\nzmqruntime.exceptions.ConfigurationError: napari needs a display: set DISPLAY\nshutting down\n"
    assert _reason(log) == "zmqruntime.exceptions.ConfigurationError: napari needs a display: set DISPLAY"
    assert _reason("one\ntwo\n\n") == "two"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("napari", ViewTarget(5555, kind="napari")),
        ("Fiji", ViewTarget(5565, kind="fiji")),
        ("fiji:5600", ViewTarget(5600, kind="fiji")),
        ("lab-pc:5555", ViewTarget(5555, "lab-pc")),
        ("[::1]:5555", ViewTarget(5555, "::1")),
    ],
)
def test_targets_are_read(text: str, target: ViewTarget) -> None:
    assert ViewTarget.parse(text) == target
    assert ViewTarget.parse(str(target)) == target


@pytest.mark.parametrize("text", ["", "paint", ":5", "napari:", "napari:0", "host:70000", "host:x"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(ViewerError, match="is not a viewer; choose fiji, napari"):
        ViewTarget.parse(text)
    with pytest.raises(PipelineError, match="GlobalConfig: view"):
        GlobalConfig(view=text)


def test_a_viewer_elsewhere_is_not_started_from_here() -> None:
    with pytest.raises(ViewerError, match="start it there"):
        open_viewer("lab-pc:5555")


def test_positions_have_what_tells_images_apart() -> None:
    key = ImageKey("B06", site=2, channel=1, z_index=0, timepoint=3)
    named = frozenset({Component.SITE, Component.CHANNEL, Component.Z_INDEX})
    assert image_position(key, named, {1: "DAPI"}) == {"well": "B06", "site": 2, "channel": "DAPI"}


def test_channels_have_the_colour_of_their_dye() -> None:
    names = ["Hoechst 33342", "Alexa 488", "TRITC", "Cy5", "Brightfield"]
    assert [channel_colormap(1, name) for name in names] == ["blue", "green", "red", "magenta", "gray"]
    assert [channel_colormap(number) for number in (1, 2, 7)] == ["blue", "green", "blue"]


def test_regions_travel_as_shapes_and_masks_as_labels() -> None:
    outline = Polygon(((0, 0), (0, 4), (4, 4)), label=3, name="cell")
    mask = Mask(-1, 2, np.ones((3, 9), bool), label=7)
    [shape] = shapes_of([outline, mask])
    assert (shape.kind, shape.properties) == (ShapeKind.POLYGON, {"label": 3, "name": "cell"})
    assert shape.coordinates == [[0, 0], [0, 4], [4, 4]]
    labels = mask_labels([outline, mask], (4, 6))
    assert labels is not None
    assert labels.tolist() == [[0, 0, 7, 7, 7, 7], [0, 0, 7, 7, 7, 7], [0] * 6, [0] * 6]
    assert mask_labels([outline], (4, 6)) is None


def test_the_builtin_pipeline_can_be_shown(viewer: Viewer, small_plate: Path, tmp_path: Path) -> None:
    result = run(small_plate, tmp_path / "out", builtin_pipeline(), mode="threads")
    assert result.viewed.displayed == result.viewed.sent
    assert {layer for layer, _ in viewer.images} == {"Measure", "Segment labels"}
    position = {"well": "A01", "site": 2, "channel": "DAPI", "plate": str(small_plate), "run": str(tmp_path / "out")}
    assert viewer.images["Measure", "A01"]["position"] == position
