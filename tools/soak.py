"""Runs plates without end while servers, workers and viewers are killed at random, and measures what all of it holds.

Two clients and a viewer are attached all the time. After every plate its files are compared with those of an
undisturbed run, and memory, descriptors, threads and shared memory are measured. At the end: did every plate come out
right, did anything grow, was anything left behind? The exit code is 1 if so.

Plates come in turns of eight in which something happens, and eight in which nothing does, so that processes live long
enough to be seen growing. SOAK_SECONDS and SOAK_SEED set how long and which course.
"""

import argparse
import contextlib
import enum
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil
import soak_measures
from soak_measures import Role, Sample, digests
from soak_viewer import PlainViewerManager

from openhcs_runtime import GlobalConfig, PipelineConfig, make_plate
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.client import PlateExecution, ZMQExecutionClient
from openhcs_runtime.viewing.launch import open_viewer
from zmqruntime import ExecutionStatus, LogLine, ProgressUpdate, StateChange, ZMQRuntimeError
from zmqruntime.execution.lifecycle import TERMINAL
from zmqruntime.streaming import VisualizerProcessManager

MARK = "ZMQRUNTIME_SOAK"  # in the environment of every process of ours, so that no other one is ever touched
TURN = 8
PLATE_SECONDS = 180.0
SETTLE_SECONDS = 15.0
WINDOW_SECONDS = 60.0
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
    deeds: dict[Deed, int] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    pids: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def complain(self, problem: str) -> None:
        """Something is wrong; the soak goes on."""
        self.problems.append(f"plate {self.plates}: {problem}")
        print(f"  WRONG: {problem}", flush=True)


def main() -> int:
    """Run until the time is over; gives the exit code."""
    options = _parser().parse_args()
    print(f"seed {options.seed}, {options.seconds:.0f} s, {options.wells} wells, {options.viewer} viewer", flush=True)
    with tempfile.TemporaryDirectory(prefix="zs", ignore_cleanup_errors=True) as home:
        for variable in ("HOME", "USERPROFILE", "LOCALAPPDATA"):
            os.environ[variable] = home
        for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
            os.environ.pop(variable, None)
        os.environ[MARK] = secrets.token_hex(8)
        soak = Soak(Path(home), options)
        try:
            soak.run()
        except (SoakError, ZMQRuntimeError, TimeoutError) as error:
            log = soak.client.config.server_dir(options.port) / "server.log"
            soak.record.complain(f"the soak ends here: {type(error).__name__}: {error}")
            traceback.print_exc()
            print(log.read_text(encoding="utf-8", errors="replace")[-4000:] if log.is_file() else f"no {log}")
        finally:
            soak.close()
            if options.json is not None:
                options.json.write_bytes(msgspec.json.format(msgspec.json.encode(soak.record.samples)))
        return verdict(soak.record)


class Soak:
    """One server, one viewer, two clients, perhaps a window, and the plate that is run again and again."""

    def __init__(self, home: Path, options: argparse.Namespace) -> None:
        self.home = home
        self.options = options
        self.random = random.Random(options.seed)
        self.record = Record()
        self.plate = make_plate(home / "plate", wells=options.wells, sites=1, channels=1, size=options.size)
        self.updates = 0
        self.client = ZMQExecutionClient(options.port, persistent=True, progress_callback=self._count)
        self.watcher = ZMQExecutionClient(options.port, persistent=True)
        self.watching = ThreadPoolExecutor(1, "watch")
        self.viewer = self._start_viewer()
        self.window: subprocess.Popen[bytes] | None = None
        self.wanted: dict[str, str] = {}
        self.whole = 0.0

    def run(self) -> None:
        """Plates, until the time is over."""
        self.client.connect(60)
        self.watcher.connect(60)
        if self.options.window:
            self.window = self._open_window()
        begin = time.monotonic()
        self._run_plate(Deed.NOTHING)  # loads what workers need, so that the next one tells how long a plate takes
        self.whole = self._run_plate(Deed.NOTHING)
        self.wanted = digests(self.home / "out")
        print(f"undisturbed: {len(self.wanted)} files in {self.whole:.1f} s", flush=True)
        while time.monotonic() - begin < self.options.seconds:
            self.record.plates += 1
            is_quiet = self.options.peaceful or (self.record.plates - 1) // TURN % 2 == 1
            deed = Deed.NOTHING if is_quiet else self.random.choice(list(Deed))
            seconds = self._run_plate(deed)
            self._compare()
            print(f"{time.monotonic() - begin:6.0f} s  {seconds:5.1f} s  {self._measure()}  {deed}", flush=True)

    def close(self) -> None:
        """End everything, then look for what is left."""
        with contextlib.suppress(ZMQRuntimeError):
            self.client.shutdown_server()
        for client in (self.watcher, self.client):
            client.disconnect()
        self.watching.shutdown()
        self._close_window()
        self.viewer.stop()
        if not until(lambda: not self._others(), SETTLE_SECONDS):
            self.record.complain(f"processes are left: {[process.cmdline() for process in self._others()]}")
        for process in self._others():
            process.kill()
        if left := soak_measures.segments(self.record.pids):
            self.record.complain(f"shared memory is left: {left}")
        if files := soak_measures.socket_files(self.home):
            self.record.complain(f"socket files are left: {files}")

    def _close_window(self) -> None:
        if self.window is None:
            return
        if self.window.poll() is not None:
            log = (self.home / "window.log").read_text(encoding="utf-8", errors="replace")
            self.record.complain(f"the window has ended with exit code {self.window.returncode}: {log[-2000:]}")
            return
        self.window.send_signal(signal.SIGINT)
        try:
            self.window.wait(SETTLE_SECONDS)
        except subprocess.TimeoutExpired:
            self.record.complain(f"the window has not closed {SETTLE_SECONDS:.0f} s after it was told to")
            self.window.kill()
            self.window.wait()

    # --- one plate --------------------------------------------------------------------------------------------------

    def _run_plate(self, deed: Deed) -> float:
        """Run it once, with something in the middle, until it is complete; the seconds that took."""
        shutil.rmtree(self.home / "out", ignore_errors=True)
        self.record.deeds[deed] = self.record.deeds.get(deed, 0) + 1
        begin = time.perf_counter()
        settings = GlobalConfig(num_workers=2, view=f"napari:{self.options.viewer_port}")
        output = PipelineConfig(output_dir=str(self.home / "out"))
        execution_id = self.client.submit_pipeline(self.plate, builtin_source(), settings, output).execution_id
        seen = self.watching.submit(self._watch, execution_id)
        if deed is not Deed.NOTHING:
            threading.Event().wait(self.random.uniform(0, self.whole))
            self._do(deed, execution_id)
        execution = self._finish(execution_id, seen, may_fail=deed in (Deed.KILL_WORKER, Deed.CANCEL))
        if execution.plate is None or execution.status is not ExecutionStatus.COMPLETE:
            raise SoakError(f"plate {self.record.plates}, {deed}: {execution.status}: {execution.message}")
        return time.perf_counter() - begin

    def _finish(self, execution_id: str, seen: "Future[ExecutionStatus]", *, may_fail: bool) -> PlateExecution:
        """Wait for its end; where something was taken from it, resume it until it is complete."""
        for _ in range(ATTEMPTS):
            execution = self.client.wait(execution_id, PLATE_SECONDS)
            watched = seen.result(SETTLE_SECONDS)
            if watched is not execution.status:
                self.record.complain(f"one client saw {execution.status}, the other {watched}")
            if execution.status is ExecutionStatus.COMPLETE or not may_fail:
                break
            execution_id = self.client.resume(execution_id).execution_id
            seen = self.watching.submit(self._watch, execution_id)
        return execution

    def _do(self, deed: Deed, execution_id: str) -> None:
        """Something bad."""
        match deed:
            case Deed.KILL_SERVER:
                os.kill(self.client.server.pid, signal.SIGKILL)
                self.client.connect(60)
            case Deed.KILL_WORKER:
                family = self._tree(self.client.server.pid)[1:]
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.random.choice(family).kill()
            case Deed.KILL_VIEWER:
                pong = self.viewer.health()
                if pong is None:
                    self.record.complain("the viewer does not answer")
                else:
                    os.kill(pong.pid, signal.SIGKILL)
                self.viewer = self._start_viewer()
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

    def _compare(self) -> None:
        found = digests(self.home / "out")
        differing = [name for name in self.wanted.keys() | found.keys() if self.wanted.get(name) != found.get(name)]
        if differing:
            self.record.complain(f"{len(differing)} files differ: {sorted(differing)[:5]}")

    # --- measuring --------------------------------------------------------------------------------------------------

    def _measure(self) -> str:
        """Measure all processes once they are at rest; says it in a line."""
        if not until(lambda: not self._orphans(), SETTLE_SECONDS):
            self.record.complain(f"belongs to nothing: {[process.cmdline() for process in self._orphans()]}")
        if not until(lambda: not self._abandoned(), SETTLE_SECONDS):
            self.record.complain(f"shared memory of processes that have ended: {self._abandoned()}")
        texts = []
        taken = [sample for role, process in self._members() for sample in _try(self.record.plates, role, process)]
        self.record.samples += taken
        for role in Role:
            of_role = [sample for sample in taken if sample.role is role]
            if of_role:
                memory, descriptors = (sum(getattr(one, name) for one in of_role) for name in ("memory", "descriptors"))
                threads = sum(sample.threads for sample in of_role)
                texts.append(f"{role} {len(of_role)}: {memory / 1e6:5.1f} MB {descriptors:3} fd {threads:2} thr")
        shared = soak_measures.segments(self.record.pids)
        texts.append(f"shm {sum(shared.values()) / 1e6:.1f} MB in {len(shared)}")
        return " | ".join(texts)

    def _members(self) -> Iterator[tuple[Role, psutil.Process]]:
        yield Role.OWN, psutil.Process()
        for place, process in enumerate(self._tree(self.client.server.pid)):
            yield Role.WORKER if place else Role.SERVER, process
        pong = self.viewer.health()
        for process in self._tree(pong.pid) if pong is not None else []:
            yield Role.VIEWER, process
        for process in self._tree(self.window.pid) if self.window is not None else []:
            yield Role.WINDOW, process

    def _others(self) -> list[psutil.Process]:
        """All processes of the soak but this one."""
        marked = soak_measures.marked_processes(MARK, os.environ[MARK])
        self.record.pids.update(process.pid for process in marked)
        return [process for process in marked if process.pid != os.getpid()]

    def _orphans(self) -> list[psutil.Process]:
        known = {process.pid for _, process in self._members()}
        return [process for process in self._others() if process.pid not in known]

    def _abandoned(self) -> list[str]:
        found = soak_measures.segments(self.record.pids)
        return [name for name in found if not psutil.pid_exists(int(name.split("-")[1]))]

    @staticmethod
    def _tree(pid: int) -> list[psutil.Process]:
        try:
            process = psutil.Process(pid)
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    # --- starting ---------------------------------------------------------------------------------------------------

    def _start_viewer(self) -> VisualizerProcessManager:
        if self.options.viewer == "napari":
            return open_viewer(f"napari:{self.options.viewer_port}")
        manager = PlainViewerManager(self.options.viewer_port)
        manager.start(60)
        return manager

    def _open_window(self) -> "subprocess.Popen[bytes]":
        options = ["--time-start", "--port", str(self.options.port), str(self.plate)]
        log = self.home / "window.log"
        with log.open("wb") as file:
            window = subprocess.Popen(
                [sys.executable, "-m", "openhcs_gui_services", *options],
                env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
                stdout=file,
                stderr=file,
            )
        if not until(lambda: b"usable" in log.read_bytes() or window.poll() is not None, WINDOW_SECONDS):
            self.record.complain(f"the window is not usable after {WINDOW_SECONDS:.0f} s")
        return window


def _try(plate: int, role: Role, process: psutil.Process) -> list[Sample]:
    """A sample; none of a process that has just ended."""
    with contextlib.suppress(psutil.Error):
        return [soak_measures.take(plate, role, process)]
    return []


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds that nothing tells of; whether it does."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        threading.Event().wait(0.1)
    return holds


def verdict(record: Record) -> int:
    """Print what all of it comes to; the exit code."""
    happened = ", ".join(f"{deed} {number}" for deed, number in record.deeds.items() if deed is not Deed.NOTHING)
    print(f"\n{record.plates} plates; {happened or 'nothing happened'}")
    problems = list(record.problems)
    for growth in soak_measures.growths(record.samples):
        rate = (
            "not known, none lived long enough" if growth.per_plate is None else f"{growth.per_plate:+12,.2f} a plate"
        )
        print(f"{growth.role:8} {growth.quantity:12} {growth.typical:14,.0f}  {rate}")
        if not growth.is_flat:
            problems.append(
                f"the {growth.quantity} of the {growth.role} grows by {growth.per_plate:,.2f} with each plate"
            )
    for problem in problems:
        print(f"WRONG {problem}")
    print("every plate as if undisturbed, all flat, nothing left" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    seconds, seed = float(os.environ.get("SOAK_SECONDS", "1800")), int(os.environ.get("SOAK_SEED", "0"))
    parser.add_argument("--seconds", type=float, default=seconds, help=f"how long ({seconds:.0f})")
    parser.add_argument("--seed", type=int, default=seed or secrets.randbelow(2**31), help="which course (random)")
    parser.add_argument("--wells", type=int, default=48, help="wells of the plate (48)")
    parser.add_argument("--size", type=int, default=256, help="pixels of an image in each direction (256)")
    parser.add_argument("--viewer", choices=("plain", "napari"), default="plain", help="what shows the images (plain)")
    parser.add_argument("--window", action="store_true", help="open the window of openhcs-gui, too")
    parser.add_argument("--peaceful", action="store_true", help="do nothing bad: only look for growth")
    parser.add_argument("--port", type=int, default=7960, help="of the server (7960)")
    parser.add_argument("--viewer-port", type=int, default=7961, help="of the viewer (7961)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
