"""The small parts that services are made of: status line, settings, memory, progress reset."""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openhcs_gui_services.services.connection.status import (
    ExecutionServerStatusPresenter,
    present_server_status,
)
from openhcs_gui_services.services.history import ServerHistory
from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.services.plates.reader import read_wells
from openhcs_gui_services.services.plates.record import PlateRecord, plate_path
from openhcs_gui_services.services.plates.session import CompiledArtifact, RememberedPlate, SessionStore
from openhcs_gui_services.services.plates.settings import RunSettings, plate_task, resolve_run_settings
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlateFacts, PlatesChanged, ServerState
from openhcs_gui_services.services.runs.progress_reset import reset_progress_for_batch
from openhcs_runtime.config import GlobalConfig
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import make_plate
from openhcs_runtime.results import PlateResult, ResultStatus, WellResult
from openhcs_runtime.tasks import PlateTask
from zmqruntime.execution import AxisState
from zmqruntime.messages import ExecuteRequest, ExecutionStatus, StatusResponse


@pytest.mark.parametrize(
    ("state", "text", "status", "shown"),
    [
        (ServerState.DISCONNECTED, "", None, ("Not connected", "", Tone.NEUTRAL)),
        (ServerState.CONNECTING, "to port 7777", None, ("Connecting", "to port 7777", Tone.PENDING)),
        (ServerState.CONNECTED, "", (0, 0, False, False), ("Connected", "idle", Tone.GOOD)),
        (ServerState.CONNECTED, "", (1, 2, False, False), ("Connected", "1 running, 2 queued", Tone.GOOD)),
        (ServerState.CONNECTED, "", (0, 0, True, False), ("Connected", "0 running, 0 queued, paused", Tone.GOOD)),
        (
            ServerState.CONNECTED,
            "",
            (1, 0, 0, True),
            ("Connected", "1 running, 0 queued, draining", Tone.GOOD),
        ),
        (ServerState.LOST, "\nno answer\nlog", (1, 0, False, False), ("Server lost", "no answer", Tone.BAD)),
    ],
)
def test_the_server_in_a_line(
    state: ServerState, text: str, status: tuple[int, int, bool, bool] | None, shown: tuple[str, str, Tone]
) -> None:
    response = None
    if status is not None:
        running, queued, paused, draining = status
        response = StatusResponse(
            executions=[], queued=queued, running=running, workers=1, paused=bool(paused), draining=draining
        )
    found = present_server_status(state, text, response)
    assert (found.text, found.detail, found.tone) == shown
    assert ExecutionServerStatusPresenter().present(state, text, response) == found


def test_a_plates_own_settings_go_before_the_windows() -> None:
    window = RunSettings(num_workers=4, view="napari", output_dir="/results")
    plate = RunSettings(num_workers=1, global_config=GlobalConfig(num_workers=2))
    found = resolve_run_settings("/data/plate_1", window, plate)
    assert found == RunSettings(
        num_workers=1,
        view="napari",
        output_dir=str(Path("/results/plate_1_results")),
        global_config=GlobalConfig(num_workers=2),
    )
    own_folder = resolve_run_settings("/data/plate_1", window, RunSettings(output_dir="/mine"))
    assert own_folder.output_dir == "/mine"
    task = plate_task("/data/plate_1", "pipeline_steps = []", found, "/pipelines/count.py")
    assert (task.source_name, task.source_dir) == ("count.py", "/pipelines")
    assert (task.num_workers, task.view, task.results_dir) == (1, "napari", found.output_dir)
    assert task.global_config == GlobalConfig(num_workers=2)
    assert plate_task("/data/plate_1", "", RunSettings()).source_name == "pipeline.py"
    opened = resolve_run_settings("s3://bucket/plate_2", window, RunSettings(plate_format="ome_zarr", pages="z"))
    of_bucket = plate_task("s3://bucket/plate_2", "", opened)
    assert (of_bucket.plate_format, of_bucket.pages) == ("ome_zarr", "z")
    assert of_bucket.results_dir == str(Path("/results/plate_2_results"))


def test_a_plate_is_known_by_its_absolute_path_or_its_url() -> None:
    assert plate_path("plate_1") == os.path.abspath("plate_1")
    assert plate_path("s3://bucket/plate_2/") == "s3://bucket/plate_2"


def test_wells_are_read_in_the_format_and_with_the_pages_that_are_set(tmp_path: Path) -> None:
    folder = make_plate(tmp_path / "p", wells=2, sites=1, channels=1, size=32)
    assert asyncio.run(read_wells(str(folder), None, "imagexpress")) == ("A01", "A02")
    with pytest.raises(PlateError, match="unknown plate format 'nonsense'"):
        asyncio.run(read_wells(str(folder), plate_format="nonsense"))
    with pytest.raises(PlateError, match="pages"):
        asyncio.run(read_wells(str(folder), pages="nonsense"))


PLATES = [
    RememberedPlate(path="/a", pipeline="one", execution_id="e1", well_count=3),
    RememberedPlate(path="/b", pipeline="two", artifact=CompiledArtifact(artifact_id="c", signature="s")),
    RememberedPlate(path="/c", pipeline="one", output="/c_results"),
]


def test_a_window_is_remembered_and_only_by_the_next_one(tmp_path: Path) -> None:
    first, second = SessionStore(tmp_path), SessionStore(tmp_path)
    assert first.file != second.file
    first.save(PLATES)
    assert first.file.read_text().count("one") == 1  # a text that plates share is there once
    assert second.load() == []
    first.close()
    third = SessionStore(tmp_path)
    assert third.load() == PLATES
    third.close()
    second.close()
    second.close()


def test_the_window_that_was_closed_last_is_taken_over_and_never_an_empty_one(tmp_path: Path) -> None:
    first, second, third, fourth = (SessionStore(tmp_path) for _ in range(4))
    first.save([])
    second.save(PLATES[:1])
    third.save(PLATES)
    fourth.file.write_text("{")
    os.utime(second.file, ns=(1, 1))
    for window in (fourth, third, second, first):
        window.close()
    order = [SessionStore(tmp_path) for _ in range(4)]
    assert [window.file for window in order] == [third.file, second.file, fourth.file, first.file]
    assert [window.load() for window in order[:2]] == [PLATES, PLATES[:1]]
    for window in order:
        window.close()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"plates": [{"path": "/a"}]}', '{"plates": [{}], "pipelines": [7]}', '{"version": 99}']
)
def test_a_broken_file_is_put_aside(tmp_path: Path, text: str) -> None:
    memory = SessionStore(tmp_path)
    memory.file.write_text(text)
    assert memory.load() == []
    assert memory.file.with_suffix(".broken").read_text() == text
    memory.save(PLATES)
    assert memory.load() == PLATES
    assert sorted(os.listdir(tmp_path)) == ["window-1.broken", "window-1.json", "window-1.lock"]
    memory.close()


def test_a_batch_resets_the_progress_of_its_own_plates_only(tmp_path: Path) -> None:
    own, other = PlateCollection(tmp_path), PlateCollection(tmp_path)
    told: list[object] = []
    ended = WellResult("A01", ResultStatus.COMPLETE)
    for book in (own, other):
        record = PlateRecord("/data/p")
        book._records[record.path] = record
        record.be_read(PlateFacts(("A01", "A02")))
        result = PlateResult(ResultStatus.CANCELLED, "/data/p", "/out", "", (ended,))
        record.wells.settle(ExecutionStatus.INTERRUPTED, result, "")
    own.events.subscribe(told.append)
    other.events.subscribe(lambda event: told.append("of another window"))

    def states(book: PlateCollection) -> list[AxisState]:
        return [well.state for well in book.records()[0].wells.rows()]

    reset_progress_for_batch(own, own.records(), resume=True)
    assert states(own) == [AxisState.COMPLETE, AxisState.WAITING]
    reset_progress_for_batch(own, own.records())  # it is queued already
    assert states(own) == [AxisState.COMPLETE, AxisState.WAITING]
    own.records()[0].rest()
    reset_progress_for_batch(own, own.records())
    assert states(own) == [AxisState.WAITING] * 2
    assert states(other) == [AxisState.COMPLETE, AxisState.WAITING]
    shown = [event.rows[0].snapshot.state for event in told if isinstance(event, PlatesChanged)]
    assert shown == [PlateStatus.QUEUED] * 2
    assert "of another window" not in told


@pytest.mark.parametrize(
    ("payload", "resume"), [({"count": 3}, None), (PlateTask(plate_path="/p", source="", resume=True), False)]
)
def test_what_is_run_again_is_done_anew_and_a_foreign_task_as_it_was(payload: object, resume: bool | None) -> None:
    submitted: list[tuple[Any, dict[str, Any]]] = []

    class Client:
        async def submission_of(self, execution_id: str) -> ExecuteRequest:
            return ExecuteRequest(submission_id=execution_id, payload=msgspec.to_builtins(payload), plate_id="/p")

        async def submit(self, task: object, **options: object) -> str:
            submitted.append((task, options))
            return "new"

    client: Any = Client()
    assert asyncio.run(ServerHistory(client).run_again("old")) == "new"
    [(task, options)] = submitted
    assert options == {"plate_id": "/p", "resumable": False, "environment": None}
    assert task.get("resume") is resume
    changed = {} if resume is None else {"resume": False, "fresh": True}
    assert task == {**msgspec.to_builtins(payload), **changed}
