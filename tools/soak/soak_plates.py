"""Runs one plate again and again, lets something happen to it, and compares what comes out with an undisturbed run."""

import argparse
import contextlib
import enum
import os
import random
import shutil
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import soak_measures
import soak_processes
from soak_measures import Sample, digests
from soak_processes import Roots, until
from soak_viewer import PlainViewerManager
from soak_window import Press, SoakWindow

from openhcs_runtime import GlobalConfig, make_plate
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient
from openhcs_runtime.viewer_target import ViewCounts
from openhcs_runtime.viewers.start import open_viewer
from zmqruntime import ExecutionStatus, LogLine, ProgressUpdate, StateChange, ZMQRuntimeError
from zmqruntime.execution.lifecycle import TERMINAL
from zmqruntime.streaming import VisualizerProcessManager

__all__ = ["Deed", "Record", "Soak", "SoakError"]

TURN, QUIET = 32, 20
"""Of so many plates, so many at the end are left alone: processes grow while they are new, see `WARM_UP`."""
OF_WINDOW = 3
"""One plate of so many is run by the window, if there is one, the first of all to begin with."""
WORKERS = 2
PLATE_SECONDS = 180.0
SETTLE_SECONDS = 15.0
ATTEMPTS = 6


class Deed(enum.StrEnum):
    """What happens in the middle of a plate."""

    NOTHING = "-"
    KILL_SERVER = "kill server"
    KILL_WORKER = "kill worker"
    KILL_VIEWER = "kill viewer"
    CANCEL = "cancel"


class SoakError(Exception):
    """A plate did not come out, or not right."""


@dataclass
class Record:
    """What was seen so far."""

    plates: int = 0
    by_window: int = 0
    """Plates that the window ran."""
    by_clients: int = 0
    """Executions that a client has submitted."""
    viewed: ViewCounts = field(default_factory=ViewCounts)
    deeds: dict[Deed, int] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    pids: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def complain(self, problem: str) -> None:
        """Something is wrong; the soak goes on."""
        self.problems.append(f"plate {self.plates}: {problem}")
        print(f"  WRONG: {problem}", flush=True)


class Soak:
    """One server, one viewer, two clients, perhaps a window, and the plate that is run again and again."""

    def __init__(self, home: Path, options: argparse.Namespace) -> None:
        self.home = home
        self.options = options
        self.random = random.Random(options.seed)
        self.record = Record()
        self.plate = make_plate(home / "plate", wells=options.wells, sites=1, channels=1, size=options.size)
        self.output = home / "plate_results"
        self.view = f"napari:{options.viewer_port}"
        self.updates = 0
        self.client = ZMQExecutionClient(options.port, persistent=True, progress_callback=self._count)
        self.watcher = ZMQExecutionClient(options.port, persistent=True)
        self.watching = ThreadPoolExecutor(1, "watch")
        self.viewer = self._start_viewer()
        self.window: SoakWindow | None = None
        self.wanted: dict[str, str] = {}
        self.whole = 0.0

    def run(self) -> None:
        """Plates, until the time is over."""
        self.client.connect(60)
        self.watcher.connect(60)
        if self.options.window:
            self.window = SoakWindow(self.home, self.options.port, self.plate, self.view, WORKERS)
        self._run_plate(Deed.NOTHING)  # loads what workers need, so that the next one tells how long a plate takes
        self.whole = self._run_plate(Deed.NOTHING)
        self.wanted = digests(self._results)
        print(f"undisturbed: {len(self.wanted)} files in {self.whole:.1f} s\n\n{soak_processes.HEADER}", flush=True)
        begin = time.monotonic()
        while time.monotonic() - begin < self.options.seconds:
            place, self.record.plates = self.record.plates % TURN, self.record.plates + 1
            is_quiet = self.options.peaceful or place >= TURN - QUIET
            deed = Deed.NOTHING if is_quiet else self.random.choice(list(Deed))
            by_window = self.window is not None and self.record.plates % OF_WINDOW == 1
            took = self._run_plate(deed, by_window=by_window)
            self._compare()
            self._measure(time.monotonic() - begin, took, f"{'window' if by_window else 'client':6}  {deed}")

    def close(self) -> None:
        """End everything, then look for what is left."""
        with contextlib.suppress(ZMQRuntimeError):
            self.client.shutdown_server()
        for client in (self.watcher, self.client):
            client.disconnect()
        self.watching.shutdown()
        if self.window is not None and (problem := self.window.close()):
            self.record.complain(problem)
        self.viewer.stop()
        if not until(lambda: not self._others(), SETTLE_SECONDS):
            self.record.complain(f"processes are left: {[process.cmdline() for process in self._others()]}")
        for process in self._others():
            process.kill()
        if left := soak_measures.segments(self.record.pids):
            self.record.complain(f"shared memory is left: {left}")
        if files := soak_measures.socket_files(self.home):
            self.record.complain(f"socket files are left: {files}")

    # --- one plate --------------------------------------------------------------------------------------------------

    def _run_plate(self, deed: Deed, *, by_window: bool = False) -> float:
        """Run it once, with something in the middle, until it is complete; the seconds that took."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.record.deeds[deed] = self.record.deeds.get(deed, 0) + 1
        self.record.by_window += by_window
        begin = time.perf_counter()
        window = self.window if by_window else None
        execution_id = self._submit() if window is None else _id_of(window, Press.RUN)
        seen = self.watching.submit(self._watch, execution_id)
        if deed is not Deed.NOTHING:
            threading.Event().wait(self.random.uniform(0, self.whole))
            self._do(deed, execution_id, window)
        may_fail = deed in (Deed.KILL_WORKER, Deed.CANCEL)
        execution = self._finish(execution_id, seen, window, may_fail=may_fail)
        if execution.plate is None or execution.status is not ExecutionStatus.COMPLETE:
            raise SoakError(f"plate {self.record.plates}, {deed}: {execution.status}: {execution.message}")
        viewed = execution.plate.viewed or ViewCounts()
        self.record.viewed += viewed
        if deed is Deed.NOTHING and (viewed.failed or not viewed.displayed):
            self.record.complain(f"the viewer has not shown the images of the plate: {viewed}")
        return time.perf_counter() - begin

    def _submit(self) -> str:
        self.record.by_clients += 1
        settings = GlobalConfig(num_workers=WORKERS, view=self.view)
        return self.client.submit_pipeline(self.plate, builtin_source(), settings).execution_id

    def _resume(self, execution_id: str) -> str:
        self.record.by_clients += 1
        return self.client.resume(execution_id).execution_id

    def _finish(
        self, execution_id: str, seen: "Future[ExecutionStatus]", window: SoakWindow | None, *, may_fail: bool
    ) -> PlateExecution:
        """Wait for its end; where something was taken from it, resume it until it is complete."""
        for _ in range(ATTEMPTS):
            execution = self.client.wait(execution_id, PLATE_SECONDS)
            watched = seen.result(SETTLE_SECONDS)
            if watched is not execution.status:
                self.record.complain(f"one client saw {execution.status}, the other {watched}")
            if window is not None and (shown := window.press(Press.LOOK)).state != execution.status.value:
                self.record.complain(f"the client saw {execution.status}, the window shows {shown.state}")
            if execution.status is ExecutionStatus.COMPLETE or not may_fail:
                break
            execution_id = self._resume(execution_id) if window is None else _id_of(window, Press.RESUME)
            seen = self.watching.submit(self._watch, execution_id)
        return execution

    def _do(self, deed: Deed, execution_id: str, window: SoakWindow | None) -> None:
        """Something bad."""
        match deed:
            case Deed.KILL_SERVER:
                os.kill(self.client.server.pid, signal.SIGKILL)
                self.client.connect(60)
            case Deed.KILL_WORKER:
                family = soak_processes.tree(self.client.server.pid)[1:]
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.random.choice(family).kill()
            case Deed.KILL_VIEWER:
                pong = self.viewer.health()
                if pong is None:
                    self.record.complain("the viewer does not answer")
                else:
                    os.kill(pong.pid, signal.SIGKILL)
                self.viewer = self._start_viewer()
            case Deed.CANCEL if window is not None:
                for press in self.random.choice([(Press.STOP,), (Press.STOP, Press.KILL)]):
                    window.press(press)
            case Deed.CANCEL:
                self.client.cancel(execution_id, grace_seconds=self.random.choice([None, 0.0, 0.2]))

    def _watch(self, execution_id: str) -> ExecutionStatus:
        """Follow an execution with the other client, over the deaths of servers; the status that it saw last."""
        deadline = time.monotonic() + PLATE_SECONDS
        while time.monotonic() < deadline:
            last = dict.fromkeys((StateChange, ProgressUpdate, LogLine), 0)
            status = ExecutionStatus.QUEUED
            try:
                for event in self.watcher.events(execution_id):
                    if event.sequence <= last[type(event)]:
                        self.record.complain(f"{type(event).__name__} {event.sequence} comes after {last[type(event)]}")
                    last[type(event)] = event.sequence
                    status = event.execution.status if isinstance(event, StateChange) else status
            except ZMQRuntimeError:
                self.watcher.connect(60)
            else:
                if status not in TERMINAL:
                    self.record.complain(f"the events end with {status}")
                return status
        raise SoakError(f"the events of {execution_id} did not end")

    def _count(self, update: ProgressUpdate) -> None:
        self.updates += 1

    @property
    def _results(self) -> Path:
        """The folder of the newest complete run."""
        return (self.output / "latest").resolve()

    def _compare(self) -> None:
        found = digests(self._results)
        differing = [name for name in self.wanted.keys() | found.keys() if self.wanted.get(name) != found.get(name)]
        if differing:
            self.record.complain(f"{len(differing)} files differ: {sorted(differing)[:5]}")

    # --- measuring --------------------------------------------------------------------------------------------------

    def _measure(self, time_now: float, took: float, happened: str) -> None:
        """Measure all processes once they are at rest, and say it in a line."""
        if not until(lambda: not soak_processes.orphans(self._roots()), SETTLE_SECONDS):
            left = [process.cmdline() for process in soak_processes.orphans(self._roots())]
            self.record.complain(f"belongs to nothing: {left}")
        self._others()
        if not until(lambda: not soak_processes.abandoned(self.record.pids), SETTLE_SECONDS):
            left_over = soak_processes.abandoned(self.record.pids)
            self.record.complain(f"shared memory of processes that have ended: {left_over}")
        look = soak_processes.look(self.record.plates, self._roots(), self.record.pids)
        self.record.samples += look.samples
        print(f"{time_now:5.0f}s {self.record.plates:5} {took:5.1f}s   {look}  {happened}", flush=True)

    def _roots(self) -> Roots:
        pong = self.viewer.health()
        return Roots(
            server=self.client.server.pid,
            viewer=None if pong is None else pong.pid,
            window=None if self.window is None else self.window.process.pid,
        )

    def _others(self) -> list[psutil.Process]:
        """All processes of the soak but this one; they are remembered."""
        found = soak_processes.others()
        self.record.pids.update(process.pid for process in found)
        return found

    def _start_viewer(self) -> VisualizerProcessManager:
        if self.options.viewer == "napari":
            return open_viewer(self.view)
        manager = PlainViewerManager(self.options.viewer_port)
        manager.start(60)
        return manager


def _id_of(window: SoakWindow, press: Press) -> str:
    """The execution that has begun with this press."""
    execution_id = window.press(press).execution_id
    assert execution_id is not None
    return execution_id
