"""Plates that run together, chosen wells, the order of the queue, and what is said of wells and plates."""

import asyncio
from pathlib import Path

import pytest

from openhcs_gui_services.services.plates.choice import WellChoice, preview_choice
from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.outcome import PlateOutcome
from openhcs_gui_services.services.plates.plate_facts import folders_to_add, open_facts
from openhcs_gui_services.services.plates.record import PlateRecord
from openhcs_gui_services.services.plates.session import RememberedPlate
from openhcs_gui_services.services.plates.settings import RunSettings
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import (
    BatchChanged,
    BatchEnded,
    FeedNews,
    PlateFacts,
    PlateRow,
    ServerState,
    ServerStateChanged,
    StatusMessage,
    WorkspaceEvent,
)
from openhcs_gui_services.services.plates.well_log import failure_lines, run_log_lines
from openhcs_gui_services.services.plates.wording import window_text
from openhcs_gui_services.services.runs.batch_watch import BatchWatch
from openhcs_gui_services.services.runs.progress_reset import reset_progress_for_batch
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_runtime.outputs.run_log import RunLog
from openhcs_runtime.plates import make_plate
from openhcs_runtime.results import PlateResult, ResultStatus, WellResult
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.testing import Gate
from zmqruntime.execution import AsyncExecutionClient, AxisProgress, AxisState
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

PORT = 7865
WELLS = ("A01", "A02")
LOOK = """
from openhcs_runtime import FunctionStep

def same(stack):
    return stack

pipeline_steps = [FunctionStep(same, name="Look", materialize=False)]
"""


def snapshot(status: ExecutionStatus, begin: float = 100.0, end: float | None = None) -> ExecutionSnapshot:
    return ExecutionSnapshot(
        execution_id="e", plate_id="", status=status, submitted_at=1.0, started_at=begin, ended_at=end
    )


def test_plates_that_run_together_are_one_batch_with_one_end(tmp_path: Path) -> None:
    book = PlateCollection(tmp_path)
    events: list[WorkspaceEvent] = []
    now = 0.0
    watch = BatchWatch(book, lambda: now)
    book.events.subscribe(events.append)
    one, two = PlateRecord("/x/p"), PlateRecord("/y/p")
    for record in (one, two):
        book._records[record.path] = record
        record.be_read(PlateFacts(WELLS))
        record.begin_run(resume=False)
        book.change(record)
    book.flush()
    one.apply(FeedNews("e", snapshot=snapshot(ExecutionStatus.RUNNING)))
    one.apply(FeedNews("e", wells=(AxisProgress("A01", AxisState.COMPLETE, percent=100.0, attempt=1),)))
    watch.tick()
    state = next(event.state for event in reversed(events) if isinstance(event, BatchChanged))
    assert state is not None
    assert (state.plates, state.plates_ended, state.wells, state.wells_ended) == (2, 0, 4, 1)
    assert state.remaining_seconds is None  # it is too early to say

    result = PlateResult(ResultStatus.FAILED, "/x/p", "/out", "", (
        WellResult("A01", ResultStatus.COMPLETE), WellResult("A02", ResultStatus.FAILED, "no image")))  # fmt: skip
    ended = snapshot(ExecutionStatus.FAILED, 100.0, 110.0)
    one.wells.settle(ExecutionStatus.FAILED, result, "")
    book.change(one, one.end(PlateOutcome("/x/p", PlateStatus.FAILED, "", PlateExecution.of(ended))))
    book.flush()
    assert not any(isinstance(event, BatchEnded) for event in events)
    now = 30.0
    book.change(two, two.end(PlateOutcome("/y/p", PlateStatus.CANCELLED)))
    book.flush()
    [end] = [event.end for event in events if isinstance(event, BatchEnded)]
    assert end.plates == ("/x/p", "/y/p")  # their names are the same
    assert (end.wells_done, end.failed, end.seconds) == (1, {"/x/p": ("A02",)}, 30.0)
    assert end.unfinished == ("/x/p", "/y/p")
    assert events[-3:-1] == [BatchChanged(None), BatchEnded(end)]


def test_chosen_wells_are_run_then_the_rest_takes_them_over_and_the_queue_is_ordered(
    tmp_path: Path, gate: Gate, isolated_home: Path, no_leaks: None
) -> None:
    plates = [make_plate(tmp_path / name, wells=3, sites=1, channels=1, size=64) for name in ("a", "b", "c")]
    one, two, three = map(str, plates)
    events: list[WorkspaceEvent] = []

    async def work() -> None:
        pipeline = gate.pipeline.read_text(encoding="utf-8")
        workspace = PlateWorkspace(PORT, default_pipeline=pipeline, settings=RunSettings(num_workers=1))
        changed = asyncio.Event()
        workspace.subscribe(events.append)
        workspace.subscribe(lambda event: changed.set())

        def row(path: str) -> PlateRow:
            return next(row for row in workspace.rows() if row.path == path)

        async def until(path: str, place: int) -> None:
            while row(path).snapshot.queue_position != place:
                changed.clear()
                await changed.wait()

        try:
            async with asyncio.timeout(120):
                await workspace.add(plates)
                await workspace.initialise([one, two, three])
                running = asyncio.create_task(workspace.run_wells(one, WellChoice(wells=("A02",))))
                await asyncio.to_thread(gate.wait_for_well)
                waiting = asyncio.create_task(workspace.run([two, three]))
                await until(three, 2)
                await workspace.move_in_queue(three, 1)
                await until(three, 1)
                assert row(two).snapshot.queue_position == 2
                await workspace.stop_plates([two])  # out of the queue; the others go on
                gate.open()
                await asyncio.gather(running, waiting)
                assert [row(path).snapshot.state for path in (one, two, three)] == [
                    PlateStatus.COMPLETE, PlateStatus.CANCELLED, PlateStatus.COMPLETE
                ]  # fmt: skip
                shown = {well.axis_id: well.state for well in workspace.wells(one)}
                assert shown == {"A01": AxisState.WAITING, "A02": AxisState.COMPLETE, "A03": AxisState.WAITING}
                assert (row(one).rest, row(one).artifact_id) == (2, None)  # only its chosen wells were checked
                await workspace.set_pipeline([one], LOOK)
                await workspace.run_wells(one, WellChoice(wells=("A02",)))
                await workspace.run([one])
                assert row(one).rest == 0
                assert row(one).snapshot.taken_over == 1
                said = [event.text for event in events if isinstance(event, StatusMessage)]
                assert any("1 of 3 wells taken over from the run of" in text for text in said)
                assert "1 running, 2 queued" in {each.text for each in events if isinstance(each, ServerStateChanged)}
                await workspace.remove([one])
                await workspace.take_back()
                assert row(one).pipeline == LOOK
        finally:
            await workspace.close()
            await end_server()

    asyncio.run(work())


def test_a_run_that_still_waits_in_its_window_outlives_it(
    small_plate: Path, tmp_path: Path, isolated_home: Path, no_leaks: None
) -> None:
    settings = RunSettings(num_workers=1, output_dir=str(tmp_path / "results"))

    async def work() -> None:
        memory = tmp_path / "memory"
        first = PlateWorkspace(PORT, memory=memory, default_pipeline=LOOK, settings=settings)
        await first.add([small_plate])
        reset_progress_for_batch(first._book, first._book.records())  # as while plates before it are checked
        await first.close()
        second = PlateWorkspace(PORT, memory=memory, settings=settings)
        changed = asyncio.Event()
        second.subscribe(lambda event: changed.set())
        try:
            async with asyncio.timeout(60):
                await second.reattach()
                while second.rows()[0].snapshot.state is not PlateStatus.COMPLETE:
                    changed.clear()
                    await changed.wait()
            assert [well.state for well in second.wells(str(small_plate))] == [AxisState.COMPLETE] * 3
        finally:
            await second.close()
            await end_server()

    asyncio.run(work())


async def end_server() -> None:
    client = AsyncExecutionClient(PORT, config=OPENHCS_CONFIG)
    await client.connect()
    await client.shutdown_server()
    await client.disconnect()


def test_a_second_run_shows_what_the_server_does_although_it_does_the_same(tmp_path: Path) -> None:
    async def work() -> None:
        workspace = PlateWorkspace(PORT, memory=tmp_path)
        shown: list[str] = []
        workspace.subscribe(lambda event: shown.append(event.text) if isinstance(event, ServerStateChanged) else None)
        server = workspace._server
        server.service._state = ServerState.CONNECTED
        for text in ("1 running, 0 queued", "1 running, 0 queued", "", "1 running, 0 queued"):
            server._show_status(text)
        assert shown == ["1 running, 0 queued", "", "1 running, 0 queued"]
        server.service._state = ServerState.DISCONNECTED
        await workspace.close()

    asyncio.run(work())


@pytest.mark.parametrize(
    ("choice", "wells", "text"),
    [
        (WellChoice(wells=("A01-A02",)), ("A01", "A02"), "2 of 3 wells: A01, A02"),
        (WellChoice(sample=1), ("A02",), "1 of 3 wells"),
        (WellChoice(), ("A01", "A02", "A03"), "All 3 wells"),
        (WellChoice(wells=("H12",)), (), "the plate has no images of H12"),
        (WellChoice(where="dose > 1"), (), "plate map"),
    ],
)
def test_a_choice_of_wells_says_what_it_stands_for(
    small_plate: Path, choice: WellChoice, wells: tuple[str, ...], text: str
) -> None:
    found = preview_choice(str(small_plate), choice, (None, None, None))
    assert len(found.wells) == len(wells)
    assert found.is_valid == bool(wells)
    assert text in found.text


def test_the_folder_tells_what_is_missing_and_a_folder_of_plates_offers_them(tmp_path: Path) -> None:
    screen = tmp_path / "screen"
    plates = [make_plate(screen / name, wells=2, sites=2, channels=2, size=32) for name in ("p1", "p2")]
    next(plates[0].rglob("*_A02_s1_w1*.tif")).unlink()
    facts = open_facts(str(plates[0]), None, None, None)
    assert (facts.wells, facts.sites, len(facts.channels)) == (("A01", "A02"), 2, 2)
    assert facts.missing == {"A02": 1}
    assert facts.plate_format == "imagexpress"
    assert folders_to_add(str(screen)) == tuple(map(str, plates))
    assert folders_to_add(str(plates[0])) == (str(plates[0]),)
    assert folders_to_add(str(tmp_path / "nowhere")) == (str(tmp_path / "nowhere"),)


def test_the_log_of_a_failed_well_is_never_empty(tmp_path: Path) -> None:
    wells = [
        AxisProgress("A01", AxisState.COMPLETE),
        AxisProgress("A02", AxisState.FAILED, "Segment", error="no image"),
    ]
    [line] = failure_lines("e", wells, [], 5.0)
    assert (line.axis_id, line.text) == ("A02", "failed in step Segment: no image")
    assert failure_lines("e", wells, [line], 5.0) == []
    log = RunLog(tmp_path)
    log.note_well(WellResult("A02", ResultStatus.FAILED, "no image", "Segment"))
    log.close()
    [kept] = run_log_lines(tmp_path, "run")
    assert (kept.axis_id, kept.level, kept.text) == ("A02", "error", "failed in step Segment: no image")
    assert run_log_lines(tmp_path / "nowhere", "run") == []


@pytest.mark.parametrize(
    "text",
    [
        "no such plate: /p (name the folder that holds the images)",
        "no server on port 7777; connect() starts it if this client names a server class",
        "the worker process of well A01 ended unexpectedly (killed by SIGKILL)",
        "no names of wells were found; for such names use --pattern, or pattern= in PipelineConfig",
    ],
)
def test_advice_for_a_terminal_is_put_in_the_words_of_a_window(text: str) -> None:
    assert not any(word in window_text(text) for word in ("connect()", "SIGKILL", "--", "name the folder"))


def test_a_pipeline_that_is_in_no_file_is_kept_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "count.py"
    file.write_text("pipeline_steps = []\n", encoding="utf-8")

    async def work() -> None:
        workspace = PlateWorkspace(PORT, memory=tmp_path / "memory")
        await workspace.add(["/p", "/q"])
        await workspace.set_pipeline(["/p"], "pipeline_steps = []\n", str(file))
        row = workspace.rows()[0]
        assert (row.pipeline_name, row.is_pipeline_modified) == ("count", False)
        await workspace.set_pipeline(["/p"], "pipeline_steps = [1]\n", str(file))
        await workspace.set_pipeline(["/q"], "x = 1\n", name="Try")
        await workspace.close()
        again = PlateCollection(tmp_path / "memory")
        kept = await again.take_left_over()
        assert kept == [
            RememberedPlate(
                path="/p", pipeline="pipeline_steps = [1]\n", pipeline_file=str(file), is_pipeline_modified=True
            ),
            RememberedPlate(path="/q", pipeline="x = 1\n", pipeline_name="Try", is_pipeline_modified=True),
        ]
        await again.close()

    asyncio.run(work())
