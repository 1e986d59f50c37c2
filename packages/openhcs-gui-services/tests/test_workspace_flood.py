"""1,536 wells that report 5,000 times a second: what a window is told stays little, and is right in the end."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from openhcs_gui_services.services.plates.values import PlatesChanged, WellsChanged, WorkspaceEvent
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from zmqruntime.execution import AxisProgress, project_plate
from zmqruntime.execution.client.followers import Sink
from zmqruntime.execution.progress.axes import AxisTracker
from zmqruntime.messages import (
    Event,
    ExecutionSnapshot,
    ExecutionStatus,
    ProgressPhase,
    ProgressStatus,
    ProgressUpdate,
    StateChange,
)

WELLS = [f"{row}{column:02d}" for row in (*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *"abcdef") for column in range(1, 49)]
PER_SECOND = 5_000
SECONDS = 2.0
STEPS = 4


def reports() -> Iterator[ProgressUpdate]:
    """Each well goes through its steps, all of them at the same time; every 100th fails."""
    sequence = 0
    kinds = [(ProgressPhase.AXIS_STARTED, ProgressStatus.STARTED, 0, 0)]
    for step in range(STEPS):
        kinds += [(ProgressPhase.PATTERN_GROUP, ProgressStatus.RUNNING, step, 50 * half) for half in (0, 1)]
    kinds.append((ProgressPhase.AXIS_COMPLETED, ProgressStatus.COMPLETED, STEPS - 1, 100))
    for phase, status, step, percent in kinds:
        for place, well in enumerate(WELLS):
            sequence += 1
            has_failed = phase is ProgressPhase.AXIS_COMPLETED and place % 100 == 0
            yield ProgressUpdate(
                execution_id="e1",
                plate_id="p1",
                axis_id=well,
                step_name=f"Step {step}",
                step_index=step,
                total_steps=STEPS,
                phase=phase,
                status=ProgressStatus.ERROR if has_failed else status,
                completed=0,
                total=1,
                percent=float(percent),
                timestamp=0.0,
                sequence=sequence,
                error="blurred" if has_failed else None,
            )


class Pump:
    """A client that delivers synthetic events from a thread of its own, as the I/O thread of a real one does."""

    def __init__(self) -> None:
        self.client = self
        self._sinks: list[Sink] = []

    @contextlib.contextmanager
    def following(self, execution_id: str, after: int, sink: Sink) -> Iterator[None]:
        self._sinks.append(sink)
        yield
        self._sinks.remove(sink)

    def run(self, updates: list[ProgressUpdate]) -> None:
        """At the rate of the test, in batches of 10 ms."""
        batch = PER_SECOND // 100
        begun, pause = time.monotonic(), threading.Event()
        for begin in range(0, len(updates), batch):
            events: list[Event] = list(updates[begin : begin + batch])
            self._sinks[0].put(events)
            pause.wait(max(0.0, begun + (begin + batch) / PER_SECOND - time.monotonic()))


async def flood(workspace: PlateWorkspace, path: str, updates: list[ProgressUpdate]) -> float:
    """All updates through the workspace; the longest time for which the loop did nothing else, s."""
    pump: Any = Pump()
    server = workspace._server
    server.executions._service = SimpleNamespace(client=pump)  # type: ignore[assignment]
    record = workspace._book.get(path)
    assert record is not None
    record.execution_id = "e1"
    adopted = server.host.adopt(record, "e1")
    pump._sinks[0].put([StateChange(sequence=1, timestamp=0.0, execution=snapshot(ExecutionStatus.RUNNING))])
    pumping = asyncio.create_task(asyncio.to_thread(pump.run, updates))
    longest = 0.0
    while not pumping.done():
        before = time.monotonic()
        await asyncio.sleep(0.001)
        longest = max(longest, time.monotonic() - before - 0.001)
    pump._sinks[0].put([StateChange(sequence=2, timestamp=1.0, execution=snapshot(ExecutionStatus.FAILED))])
    await adopted.ended
    return longest


def snapshot(status: ExecutionStatus) -> ExecutionSnapshot:
    return ExecutionSnapshot(execution_id="e1", plate_id="p1", status=status, submitted_at=0.0, started_at=0.0)


def test_a_flood_costs_little_and_loses_nothing(isolated_home: Path, no_leaks: None) -> None:
    updates = list(reports())[: int(PER_SECOND * SECONDS)]

    async def work() -> None:
        workspace = PlateWorkspace(7855, memory=isolated_home / "windows")
        events: list[WorkspaceEvent] = []
        await workspace.add(["/data/p1"])
        workspace.subscribe(events.append)
        cpu, begun = time.process_time(), time.monotonic()
        longest = await flood(workspace, "/data/p1", updates)
        cpu, took = time.process_time() - cpu, time.monotonic() - begun
        changes = [event for event in events if isinstance(event, PlatesChanged | WellsChanged)]
        print(f"{len(changes) / took:.1f} changes/s, {100 * cpu / took:.0f} % of a core, stall {1000 * longest:.1f} ms")

        # Two events a frame, one a second of the clock, and one for the beginning and the end of each kind.
        assert len(changes) <= 31 * took + 4
        shown = workspace.wells("/data/p1")
        told: dict[str, AxisProgress] = {}
        for event in changes:
            if isinstance(event, WellsChanged):
                told.update((well.axis_id, well) for well in event.wells)
        assert tuple(told.values()) == shown

        assert shown == project_plate(updates, snapshot(ExecutionStatus.FAILED)).axes
        assert len({well.percent for well in shown}) > 1, "some have come further than others"
        await workspace.close()

    asyncio.run(work())


def test_the_percent_of_a_plate_is_that_of_its_wells(isolated_home: Path, no_leaks: None) -> None:
    updates = list(reports())

    async def work() -> None:
        workspace = PlateWorkspace(7855, memory=isolated_home / "windows")
        await workspace.add(["/data/p1"])
        record = workspace._book.get("/data/p1")
        assert record is not None
        tracker = AxisTracker()
        for begin in range(0, len(updates), 1_000):
            for update in updates[begin : begin + 1_000]:
                tracker.on_progress(update)
            record.wells.apply(tracker.take_changes())
            expected = project_plate(updates[: begin + 1_000])
            assert abs(record.wells.percent - expected.percent) < 1e-6
            assert record.wells.failed == expected.axes_failed
        await workspace.close()

    asyncio.run(work())
