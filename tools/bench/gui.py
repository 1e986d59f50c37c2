"""The responsiveness of the window.

    python tools/bench/gui.py [start] [flood] [plates] [stop] [runs] [--seconds S] [--json FILE]

`start`: from the command to a usable window. `flood`: a plate of 1,536 wells with 5,000 progress events per second for
S seconds. `plates`: 10,000 plates in the table. `stop`: from the click on Stop to "Stopping" on the screen, and from
Force Kill to the exit of the workers, with a real server. `runs`: the memory growth of the window over 100 runs of a
plate on a real server. Prints the results with their limits; the exit code is 1 if one is missed. Does not need a
screen.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import figures
import psutil
import qasync  # type: ignore[import-untyped]
from figures import Figure, Report
from PyQt6.QtCore import QEvent, QEventLoop, QObject, QPointF, Qt, QTimer
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import QApplication, QToolButton

from openhcs_gui_services.services import PlateSnapshot, PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow, PlatesChanged, WellsChanged, WorkspaceEvent
from openhcs_gui_services.services.plates.wells import PlateWells
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets import PlateColumn, PlateManagerWidget, PlateTable
from openhcs_runtime.components import well_name
from openhcs_runtime.plates import make_plate
from openhcs_runtime.service.client import ZMQExecutionClient
from zmqruntime.execution import AxisProgress
from zmqruntime.execution.progress.axes import AxisTracker
from zmqruntime.messages import ProgressPhase, ProgressStatus, ProgressUpdate

PORT = 7890
START_SECONDS, IMPORT_SECONDS = 1.5, 0.5
STALL_MS, REPAINTS = 16.0, 30.0
TABLE_MS, STOPPING_MS, KILL_SECONDS = 200.0, 50.0, 1.0
RUNS, WARM_RUNS, GROWTH_MB = 100, 20, 10.0
EVENTS_A_SECOND, WELLS, STEPS = 5000, 1536, 5
TICK_MS = 4
DEAF = """
import threading
from openhcs_runtime import FunctionStep
def deaf(stack):
    threading.Event().wait(600)
    return stack
pipeline_steps = [FunctionStep(deaf)]
"""
QUICK = """
from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import max_projection
pipeline_steps = [FunctionStep(max_projection)]
"""


def main() -> int:
    """Run the named parts, or all."""
    all_parts: Sequence[Callable[[Report, float], None]] = (start, flood, plates, stop, runs)
    parts = {part.__name__: part for part in all_parts}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(parts)} [default: all]")
    parser.add_argument("--seconds", type=float, default=60.0, help="duration of the flood [default: 60]")
    with figures.report(parser) as (asked, report):
        run_parts([parts[name] for name in asked.parts or parts], report, asked.seconds)
    return int(report.missed > 0)


def run_parts(parts: Sequence[Callable[[Report, float], None]], report: Report, seconds: float) -> None:
    """Run each part in a home folder of its own."""
    application = QApplication(sys.argv[:1])
    application.setStyle("Fusion")
    application.setQuitOnLastWindowClosed(False)
    for part in parts:
        with tempfile.TemporaryDirectory(prefix="bg") as home:
            os.environ["HOME"] = home
            part(report, seconds)


def start(report: Report, _: float) -> None:
    """Run the command itself several times; the best time is reported as well, because other programs slow it down."""
    found = []
    for _round in range(5):
        command = [sys.executable, "-m", "openhcs_gui_services", "--time-start", "--port", str(PORT)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as window:
            assert window.stdout is not None
            numbers = re.findall(r"\d+\.\d+", window.stdout.readline())
            window.send_signal(signal.SIGINT)
        found.append([float(number) for number in numbers])
    imports, usable = ([times[part] for times in found] for part in (0, 1))
    for name, seconds, bar in (
        ("imports of this project", imports, IMPORT_SECONDS),
        ("from the command to a usable window", usable, START_SECONDS),
    ):
        note = f"median of {len(seconds)}, best {min(seconds):.2f}; load average {os.getloadavg()[0]:.1f}"
        report.tell(Figure(name, statistics.median(seconds), "s", bar=bar, note=note))


class FloodedHost:
    """One running plate among others, whose wells report faster than the screen can show."""

    def __init__(self, others: Sequence[PlateRow] = ()) -> None:
        self._others = tuple(others)
        self.names = [well_name(row, column) for row in range(32) for column in range(48)]
        self.tracker = AxisTracker()
        self.projection = PlateWells()
        self.projection.reset(self.names)
        self._told: list[Callable[[WorkspaceEvent], None]] = []
        self._arrived: deque[ProgressUpdate] = deque()
        self.count = 0

    def subscribe(self, callback: Callable[[WorkspaceEvent], None]) -> Callable[[], None]:
        """Call ``callback`` with events, like a workspace."""
        self._told.append(callback)
        return lambda: self._told.remove(callback)

    def rows(self) -> tuple[PlateRow, ...]:
        """Return all plates."""
        return (self.running(), *self._others)

    def running(self) -> PlateRow:
        """Return the running plate."""
        projected = self.projection.current_well
        snapshot = PlateSnapshot(
            PlateStatus.RUNNING,
            percent=self.projection.percent,
            elapsed_seconds=60,
            axis_id=projected.axis_id if projected else "",
            step_name=projected.step_name if projected else "",
        )
        return PlateRow("/plate", "plate", snapshot, execution_id="flood", well_count=WELLS)

    def wells(self, path: str) -> tuple[AxisProgress, ...]:
        """Return the wells of the running plate."""
        return self.projection.rows()

    def feed(self, seconds: float) -> None:
        """Generate events at the given rate in a thread."""
        chance, begin = random.Random(1), time.monotonic()
        pause = threading.Event()
        while (passed := time.monotonic() - begin) < seconds:
            due = int(passed * EVENTS_A_SECOND)
            while self.count < due:
                self._arrived.append(made_update(self.count, self.names, chance))
                self.count += 1
            pause.wait(0.005)

    def flush(self) -> None:
        """Return the events since the last frame, merged, like a workspace."""
        for _ in range(len(self._arrived)):
            self.tracker.on_progress(self._arrived.popleft())
        changed = self.projection.apply(self.tracker.take_changes())
        for tell_it in self._told:
            tell_it(WellsChanged("/plate", changed))
            tell_it(PlatesChanged((self.running(),)))

    async def nothing(self, *_: object, **__: object) -> None:
        """Do nothing."""

    add = remove = initialise = compile = run = resume = stop = stop_after_wells = cancel_well = nothing


def made_update(number: int, names: list[str], chance: random.Random) -> ProgressUpdate:
    """Advance a well by one pattern group of one of its steps."""
    turn, well = divmod(number, len(names))
    step, group = turn // 20 % STEPS, turn % 20
    return ProgressUpdate(
        execution_id="flood",
        plate_id="/plate",
        axis_id=names[well],
        step_name=f"Step{step}",
        step_index=step,
        total_steps=STEPS,
        phase=ProgressPhase.PATTERN_GROUP,
        status=ProgressStatus.RUNNING,
        completed=group,
        total=20,
        percent=group * 5.0,
        timestamp=time.time() + chance.random() * 1e-3,
        sequence=number + 1,
    )


class PaintCounter(QObject):
    """Counts the paint events of watched objects."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.last = 0.0

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Count paint events."""
        if watched is not None and event is not None and event.type() == QEvent.Type.Paint:
            name = watched.objectName()
            self.counts[name] = self.counts.get(name, 0) + 1
            self.last = time.perf_counter()
        return False


def flood(report: Report, seconds: float) -> None:
    """Measure how late a timer is while events arrive, and count repaints."""
    host = FloodedHost()
    window = PlateManagerWidget(host)
    window.resize(1300, 860)
    window.show()
    window.table.select_paths(["/plate"])
    counter = PaintCounter()
    viewport = window.table.viewport()
    assert viewport is not None
    for name, watched in (("plate map", window.map), ("table", viewport)):
        watched.setObjectName(name)
        watched.installEventFilter(counter)
    lateness: list[float] = []
    expected = 0.0

    def tick() -> None:
        nonlocal expected
        now = time.perf_counter()
        if expected:
            lateness.append(max(0.0, now - expected) * 1000)
        expected = now + TICK_MS / 1000

    beat, frames = QTimer(), QTimer()
    for timer, milliseconds, call in ((beat, TICK_MS, tick), (frames, 33, host.flush)):
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(call)
        timer.start(milliseconds)
    feeder = threading.Thread(target=host.feed, args=(seconds,))
    busy = time.process_time()
    feeder.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    feeder.join()
    share = (time.process_time() - busy) / seconds
    beat.stop()
    frames.stop()
    window.close()
    lateness.sort()
    note = (
        f"longest {lateness[-1]:.1f} ms; {host.count / seconds:.0f} events/s for {seconds:g} s; {share:.0%} of a core"
    )
    late = lateness[len(lateness) * 99 // 100]
    report.tell(Figure("1,536 wells: stall of Qt's loop, p99", late, "ms", bar=STALL_MS, note=note))
    for name, count in counter.counts.items():
        report.tell(Figure(f"1,536 wells: repaints of the {name}", count / seconds, "/s", bar=REPAINTS))


def plates(report: Report, _: float) -> None:
    """Measure add, sort and filter, each until it is drawn."""
    chance = random.Random(2)
    rows = [
        PlateRow(
            f"/data/{number}", f"plate_{number}", PlateSnapshot(chance.choice(list(PlateStatus)), percent=number % 100)
        )
        for number in chance.sample(range(10_000), 10_000)
    ]
    table = PlateTable()
    table.resize(1200, 700)
    table.show()
    steps: dict[str, Callable[[], object]] = {
        "add": lambda: table.plates.add_rows(rows),
        "sort by name": lambda: table.plates.sort(PlateColumn.PLATE),
        "sort by state": lambda: table.plates.sort(PlateColumn.STATE),
        "filter": lambda: table.plates.set_filter("77"),
        "filter by state": lambda: table.plates.set_filter("running"),
        "clear the filter": lambda: table.plates.set_filter(""),
    }
    for name, step in steps.items():
        begin = time.perf_counter()
        step()
        QApplication.processEvents()
        report.tell(Figure(f"10,000 plates: {name}", (time.perf_counter() - begin) * 1000, "ms", bar=TABLE_MS))
    table.close()
    one_of_many(report, rows)


def one_of_many(report: Report, rows: list[PlateRow]) -> None:
    """Measure the cost of one running plate among many."""
    host = FloodedHost(rows)
    window = PlateManagerWidget(host)
    window.resize(1200, 700)
    window.show()
    QApplication.processEvents()
    begin = time.perf_counter()
    frames = 0
    while time.perf_counter() - begin < 2.0:
        host.flush()
        frames += 1
        QApplication.processEvents()
    each = (time.perf_counter() - begin) * 1000 / frames
    report.tell(Figure("10,000 plates: progress of one", each, "ms", bar=STALL_MS))
    window.close()


def stop(report: Report, _: float) -> None:
    """Stop a run that ignores it, on a real server."""
    application = QApplication.instance()
    with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(application)) as runner:
        runner.run(_stop(report, Path(os.environ["HOME"])))


async def _stop(report: Report, home: Path) -> None:
    plate = make_plate(home / "plate", wells=4, sites=1, channels=1, size=64)
    workspace = PlateWorkspace(PORT, default_pipeline=DEAF, memory=home / "memory")
    window = PlateManagerWidget(workspace)
    window.resize(1200, 800)
    window.show()
    counter = PaintCounter()
    viewport = window.table.viewport()
    assert viewport is not None
    viewport.installEventFilter(counter)
    client = ZMQExecutionClient(PORT, persistent=True)
    try:
        window.add_plates([str(plate)])
        await _until(lambda: window.actions_.run.isEnabled())
        window.actions_.run.trigger()
        await _until(lambda: any(well.state.value == "running" for well in workspace.wells(str(plate))))
        await _until(lambda: window.actions_.stop.isEnabled())
        server = psutil.Process((await asyncio.to_thread(client.connect)).pid)
        workers = [process for child in server.children() for process in child.children()]
        button = next(each for each in window.findChildren(QToolButton) if each.defaultAction() is window.actions_.stop)
        begin = time.perf_counter()
        click(button)
        await _until(lambda: window.table.plates.presentation_at(0).text == "Stopping" and counter.last > begin)
        name = 'from the click on Stop to "Stopping" on the screen'
        report.tell(Figure(name, (counter.last - begin) * 1000, "ms", bar=STOPPING_MS))
        await _until(lambda: button.text() == "Force Kill" and button.isEnabled())
        begin = time.perf_counter()
        click(button)
        await asyncio.to_thread(psutil.wait_procs, workers, 30)
        seconds = time.perf_counter() - begin
        await _until(lambda: workspace.rows()[0].snapshot.state is PlateStatus.CANCELLED)
        report.tell(
            Figure(f"from Force Kill to the exit of the workers ({len(workers)})", seconds, "s", bar=KILL_SECONDS)
        )
    finally:
        await window.close_host_calls()
        await workspace.close()
        window.close()
        with contextlib.suppress(psutil.NoSuchProcess):
            await asyncio.to_thread(client.connect)
            await asyncio.to_thread(client.shutdown_server)
        await asyncio.to_thread(client.disconnect)


def runs(report: Report, _: float) -> None:
    """Run one plate again and again, with its table, map and steps on the screen."""
    application = QApplication.instance()
    with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(application)) as runner:
        runner.run(_run_often(report, Path(os.environ["HOME"])))


async def _run_often(report: Report, home: Path) -> None:
    plate = str(make_plate(home / "often", wells=6, sites=1, channels=1, size=64))
    workspace = PlateWorkspace(PORT, default_pipeline=QUICK, memory=home / "memory_often")
    window = PlateManagerWidget(workspace)
    window.show()
    process, sizes = psutil.Process(), []
    try:
        await workspace.add([plate])
        for _ in range(RUNS):
            await workspace.run([plate])
            assert workspace.rows()[0].snapshot.state is PlateStatus.COMPLETE, workspace.rows()[0]
            gc.collect()
            sizes.append(process.memory_info().rss / 1e6)
    finally:
        await window.close_host_calls()
        await workspace.close()
        window.close()
        with ZMQExecutionClient(PORT, persistent=True) as client:
            await asyncio.to_thread(client.shutdown_server)
    report.tell(Figure(f"memory of the window after {RUNS} runs", sizes[-1], "MB"))
    growth = max(0.0, sizes[-1] - sizes[WARM_RUNS - 1])
    report.tell(Figure(f"memory growth from run {WARM_RUNS} to run {RUNS}", growth, "MB", bar=GROWTH_MB))


def click(button: QToolButton) -> None:
    """Click like a mouse."""
    middle = QPointF(button.rect().center())
    none, left = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
    kinds = ((QEvent.Type.MouseButtonPress, left), (QEvent.Type.MouseButtonRelease, none))
    for kind, held in kinds:
        where = middle, button.mapToGlobal(middle)
        QApplication.sendEvent(button, QMouseEvent(kind, *where, left, held, Qt.KeyboardModifier.NoModifier))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


if __name__ == "__main__":
    sys.exit(main())
