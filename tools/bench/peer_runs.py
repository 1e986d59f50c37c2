"""Run the programs in peers/, each in an empty folder that is its home, and check that they do what they promise.

It is checked from outside: results that are printed, signs of life of a function, lines that steps leave behind.
"Every process is killed" means SIGKILL for the program, its servers, brokers and workers.
"""

import contextlib
import functools
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil
from peer_programs import PROGRAMS, Job, Library, Program

SECONDS = 120.0
"""How long a program may take."""
_NOOPS_SECONDS = 900.0
STEPS = 10
_SUM = str(sum(range(STEPS)))
_PORTS = {"redis-server": 6379}
_STILL_ALIVE_SECONDS = 1.0
_PAUSE_SECONDS = 0.01


class BrokenError(Exception):
    """A program did not do what it promises."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a run has shown: the seconds that matter for this job, and a remark."""

    seconds: float
    remark: str = ""


@dataclass(slots=True)
class Stage:
    """An empty folder with the programs of a library, and the processes that were started in it."""

    library: Library
    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        """Start a command; what it reports goes to a file."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        home = {"HOME": str(self.folder), "PATH": path, "PYTHONUNBUFFERED": "1"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        with (self.folder / f"errors-{len(self.started)}.txt").open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                command, cwd=self.folder, env=kept | home, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self.started.append(process)
        return process

    def start_commands(self, commands: list[list[str]]) -> None:
        """Start what has to run before the program, and wait for those that listen.

        Raises:
            BrokenError: Something else listens there.
        """
        for command in commands:
            if (port := _PORTS.get(command[0])) is not None and _listens(port):
                raise BrokenError(f"something else listens on port {port}: stop it")
            # What it prints is for a terminal; nobody reads it here.
            threading.Thread(target=_drain, args=(self.start(command).stdout,), daemon=True).start()
            if port is not None:
                self._wait_for(functools.partial(_listens, port), f"{command[0]} to listen")

    def run(self, job: Job, *arguments: str) -> "Running":
        """Start a program."""
        return Running(self, self.start([sys.executable, f"{job}.py", *arguments]))

    def kill(self) -> None:
        """Kill every process of this folder with SIGKILL, also those that detached themselves."""
        for started in self.started:  # Redis, for one, hides its environment
            started.kill()
        while found := [process for process in psutil.process_iter() if _lives_in(process, self.folder)]:
            for process in found:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(found, 10)
        for started in self.started:
            started.wait()

    def wait_for_lines(self, name: str, count: int) -> None:
        """Wait until a file has so many lines."""
        path = self.folder / name
        self._wait_for(
            lambda: path.exists() and len(path.read_text().splitlines()) >= count, f"{count} lines in {name}"
        )

    def errors(self) -> str:
        """The end of what the processes reported."""
        return "\n".join(path.read_text(encoding="utf-8")[-2000:] for path in sorted(self.folder.glob("errors-*.txt")))

    def _wait_for(self, is_so: Callable[[], bool], what: str) -> None:
        ends_at = time.monotonic() + SECONDS
        while not is_so():
            if time.monotonic() > ends_at:
                raise BrokenError(f"{self.library}: waited {SECONDS:.0f} s for {what}\n{self.errors()}")
            time.sleep(_PAUSE_SECONDS)


class Running:
    """A program that runs, and the lines that it prints."""

    def __init__(self, stage: Stage, process: subprocess.Popen[str]) -> None:
        self.stage, self.process = stage, process
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def line(self) -> str:
        """Return the next line that it prints.

        Raises:
            BrokenError: it ended without another line, or took too long.
        """
        try:
            line = self._lines.get(timeout=SECONDS)
        except queue.Empty:
            line = None
        if line is None:
            raise BrokenError(f"{self.stage.library}: no further line\n{self.stage.errors()}")
        return line

    def rest(self, seconds: float = SECONDS) -> list[str]:
        """Return all further lines, once it has ended.

        Args:
            seconds: How long it may take.

        Raises:
            BrokenError: it failed, or took too long.
        """
        lines = list(iter(self._lines.get, None)) if self._ends_within(seconds) else []
        if self.process.returncode != 0:
            raise BrokenError(f"{self.stage.library}: exit code {self.process.returncode}\n{self.stage.errors()}")
        return lines

    def _ends_within(self, seconds: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
            return True
        return False

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)


@contextlib.contextmanager
def stage(library: Library) -> Iterator[Stage]:
    """An empty folder with the programs of a library; all that runs in it is killed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pp", dir="/tmp" if os.name == "posix" else None))  # sockets: short paths
    for path in [*PROGRAMS.glob("*.py"), *library.folder.glob("*.py")]:
        shutil.copy(path, folder)
    made = Stage(library, folder)
    try:
        yield made
    finally:
        made.kill()
        for started in made.started:
            if started.stdout is not None:
                started.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


def prove(program: Program) -> Proof:
    """Run a program and check what it promises.

    Raises:
        BrokenError: it does not do that.
    """
    with stage(program.library) as made:
        return _PROOFS[program.job](made, program)


def time_hello(program: Program) -> tuple[float, float]:
    """Return how long it takes to the printed result from nothing, and a second time with all servers running."""
    with stage(program.library) as made:
        begun = time.perf_counter()
        made.start_commands(program.commands)
        first = _result_seconds(made, program.job, begun)
        return first, _result_seconds(made, program.job, time.perf_counter())


def _result_seconds(made: Stage, job: Job, begun: float) -> float:
    running = made.run(job)
    while running.line() != "3":
        continue
    took = time.perf_counter() - begun
    running.rest()
    return took


def _prove_hello(made: Stage, program: Program) -> Proof:
    begun = time.perf_counter()
    made.start_commands(program.commands)
    return Proof(_result_seconds(made, program.job, begun))


def _prove_durable(made: Stage, program: Program) -> Proof:
    """Kill everything as soon as the submission is accepted, without a worker if that is a process of its own."""
    made.start_commands(program.commands[:-1])
    accepted = made.run(Job.DURABLE).line()
    made.kill()
    made.start_commands(program.commands)
    begun = time.perf_counter()
    _expect(made, made.run(Job.LATER, accepted).rest()[-1:], ["3"])
    return Proof(time.perf_counter() - begun)


def _prove_cancel(made: Stage, program: Program) -> Proof:
    """The last sign of life of the function tells when it stopped."""
    made.start_commands(program.commands)
    running = made.run(Job.CANCEL)
    cancelled_at = float(running.line())
    running.rest()
    last = (made.folder / "beat.txt").stat().st_mtime
    time.sleep(_STILL_ALIVE_SECONDS)
    if (made.folder / "beat.txt").stat().st_mtime != last:
        raise BrokenError(
            f"{made.library}: the function still runs {_STILL_ALIVE_SECONDS:.0f} s after it was cancelled"
        )
    return Proof(max(0.0, last - cancelled_at))


def _prove_progress(made: Stage, program: Program) -> Proof:
    """Each line has to arrive while the function runs, not all of them at its end."""
    made.start_commands(program.commands)
    running = made.run(Job.PROGRESS)
    lines: list[str] = []
    times: list[float] = []
    while not lines or lines[-1] != f"{STEPS}/{STEPS}":
        lines.append(running.line())
        times.append(time.perf_counter())
    running.rest()
    if len(lines) < STEPS // 2 or times[-1] - times[0] < 0.3:
        raise BrokenError(f"{made.library}: {len(lines)} lines within {times[-1] - times[0]:.1f} s")
    return Proof(times[-1] - times[0])


def _prove_resume(made: Stage, program: Program) -> Proof:
    """Kill everything after five steps, run the program again, and count what was done twice."""
    made.start_commands(program.commands)
    made.run(Job.RESUME)
    made.wait_for_lines("steps.txt", STEPS // 2)
    made.kill()
    made.start_commands(program.commands)
    begun = time.perf_counter()
    _expect(made, made.run(Job.RESUME).rest()[-1:], [_SUM])
    done = Counter((made.folder / "steps.txt").read_text(encoding="utf-8").split())
    twice = sum(count - 1 for count in done.values())
    if twice > 2:  # what ran at that moment, on two workers
        raise BrokenError(f"{made.library}: {twice} steps were done twice")
    return Proof(time.perf_counter() - begun, f"{twice} done twice" if twice else "")


def _prove_noops(made: Stage, program: Program) -> Proof:
    made.start_commands(program.commands)
    return Proof(float(made.run(Job.NOOPS).rest(_NOOPS_SECONDS)[-1]))


_PROOFS: dict[Job, Callable[[Stage, Program], Proof]] = {
    Job.HELLO: _prove_hello,
    Job.DURABLE: _prove_durable,
    Job.LATER: _prove_durable,
    Job.CANCEL: _prove_cancel,
    Job.PROGRESS: _prove_progress,
    Job.RESUME: _prove_resume,
    Job.NOOPS: _prove_noops,
}


def _expect(made: Stage, printed: list[str], wanted: list[str]) -> None:
    if printed != wanted:
        raise BrokenError(f"{made.library}: printed {printed}, expected {wanted}\n{made.errors()}")


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _drain(stream: IO[str] | None) -> None:
    with contextlib.suppress(ValueError):  # closed at the end
        for _ in stream or ():
            continue


def _lives_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.environ().get("HOME") == str(folder)
    except (psutil.Error, OSError):
        return False
