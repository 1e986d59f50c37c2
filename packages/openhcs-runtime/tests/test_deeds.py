"""What a pipeline function may do to its process costs its own well and no other: in processes, threads and on Dask."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.pipeline.process_state import Keeper, SpoiltError
from openhcs_runtime.plates import make_plate
from openhcs_runtime.results import ResultStatus

COMPLETE, FAILED = ResultStatus.COMPLETE.value, ResultStatus.FAILED.value

HEAD = """
import asyncio, gc, locale, logging, multiprocessing, os, resource, signal, socket, subprocess, sys, time, warnings
from concurrent.futures import ProcessPoolExecutor
import numpy as np
from openhcs_runtime import Component, FunctionStep, Measurements, OutputKind, special_outputs

class PanicException(BaseException):
    pass

class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no words")

@special_outputs(OutputKind.MEASUREMENTS)
def state(stack, when):
    handlers = [str(signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM)]
    if os.name == "posix":
        mask = os.umask(0o22)
        os.umask(mask)
    said = [
        os.getcwd(), mask, os.environ.get("DEED"), os.environ.get("HOME"), handlers, np.geterr()["over"],
        resource.getrlimit(resource.RLIMIT_NOFILE), sys.stdout is None, [os.fstat(n).st_ino for n in (0, 1, 2)],
        locale.setlocale(locale.LC_ALL), len(warnings.filters), sys.getrecursionlimit(), socket.getdefaulttimeout(),
        gc.isenabled(), logging.root.manager.disable, signal.getitimer(signal.ITIMER_REAL)[0],
    ]
    print("state of", when)
    return stack, [Measurements({f"state_{when}": repr(said)}) for _ in stack]

def chdir(stack):
    os.chdir("/")
    return stack

def environ(stack):
    os.environ["DEED"] = "done"
    del os.environ["HOME"]
    return stack

def umask(stack):
    os.umask(0o777)
    return stack

def handlers(stack):
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 3600)
    except ValueError:
        pass  # not in the main thread
    return stack

def limits(stack):
    resource.setrlimit(resource.RLIMIT_NOFILE, (20, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return stack

def hard_limits(stack):
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
    return stack

def settings(stack):
    np.seterr(all="raise")
    warnings.simplefilter("error")
    locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C")
    sys.setrecursionlimit(500)
    socket.setdefaulttimeout(1)
    gc.disable()
    logging.disable()
    return stack

def no_stdout(stack):
    sys.stdout = None
    return stack

def closed_stdout(stack):
    sys.stdout.close()
    sys.stderr.close()
    return stack

def closed_descriptors(stack):
    os.close(1)
    os.close(2)
    return stack

def other_descriptor(stack):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return stack

def fork(stack):
    if os.fork() == 0:
        stack = stack + 1
    return stack

def fork_and_fail(stack):
    os.fork()
    raise ValueError("in both")

def prints_bytes(stack):
    print("bad \\udcff name")
    logging.getLogger("deeds").warning("bad \\udcff name")
    os.write(1, b"bad \\xff name\\n")
    return stack

def panic(stack):
    raise PanicException("index out of bounds")

def interrupt(stack):
    raise KeyboardInterrupt("by hand")

def generator_exit(stack):
    raise GeneratorExit("g")

def stop_iteration(stack):
    raise StopIteration("s")

def cancelled(stack):
    raise asyncio.CancelledError("c")

def leave(stack):
    sys.exit("enough")

def unspeakable(stack):
    raise Unspeakable

def undecodable(stack):
    open(os.fsdecode(b"/no/\\xff"))

def pool(stack):
    with ProcessPoolExecutor(2) as workers:
        return stack + sum(workers.map(abs, [-1, -2]))

def multi(stack):
    with multiprocessing.Pool(1) as workers:
        return stack + workers.map(abs, [-3])[0]

def child(stack):
    subprocess.run(["true"], check=True)
    return stack

def exit_hard(stack):
    os._exit(7)

BY_WELL = {"group_by": Component.WELL}
"""
GOOD = [
    "chdir",
    "environ",
    "umask",
    "handlers",
    "limits",
    "settings",
    "no_stdout",
    "closed_stdout",
    "closed_descriptors",
    "other_descriptor",
    "fork",
    "prints_bytes",
    "pool",
    "multi",
    "child",
]
BAD = {
    "panic": "PanicException: index out of bounds",
    "interrupt": "KeyboardInterrupt: by hand",
    "generator_exit": "GeneratorExit: g",
    "stop_iteration": "StopIteration: s",
    "cancelled": "CancelledError: c",
    "leave": "SystemExit: enough",
    "unspeakable": "Unspeakable: (its text is not available: RuntimeError)",
    "undecodable": "FileNotFoundError: [Errno 2] No such file or directory: '/no/\\udcff'",
    "fork_and_fail": "ValueError: in both",
}


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 small wells, each with one image."""
    path = tmp_path_factory.mktemp("plates") / "deeds"
    make_plate(path, wells=24, sites=1, channels=1, size=64)
    return path


def wells_of(deeds: list[str]) -> tuple[str, ...]:
    return tuple(f"{row}{column:02d}" for row in "AB" for column in range(1, 13))[: len(deeds)]


SCRIPT = """
import sys
from openhcs_runtime import *
from openhcs_runtime.config import ExecutionMode

if __name__ == "__main__":
    plate, output, mode, workers, wells = sys.argv[1:]
    config = PipelineConfig(output, wells=wells.split(","))
    machine = GlobalConfig(int(workers), ExecutionMode(mode))
    with PipelineOrchestrator(plate, load_pipeline({source!r}), machine, config) as orchestrator:
        result = orchestrator.run()
    with open(output + "/ended", "w") as file:
        for well in result.wells:
            print(well.well, well.status, well.step, well.error, sep="|", file=file)
"""
Ended = dict[str, tuple[str, str, str]]
"""By well: status, step, error."""


def run(plate: Path, output: Path, mode: ExecutionMode, deeds: list[str], workers: int = 1) -> Ended:
    """Each well does its deed between two looks at the state of its process; in a program of its own."""
    chosen = ", ".join(f"{well!r}: {deed}" for well, deed in zip(wells_of(deeds), deeds, strict=True))
    steps = f"FunctionStep((state, {{'when': 'before'}})), FunctionStep({{{chosen}}}, name='deed', **BY_WELL)"
    source = f"{HEAD}\npipeline_steps = [{steps}, FunctionStep((state, {{'when': 'after'}}))]\n"
    script = output.with_suffix(".py")
    script.write_text(SCRIPT.format(source=source))
    arguments = [str(plate), str(output), mode.value, str(workers), ",".join(wells_of(deeds))]
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    lines = (output / "ended").read_text().splitlines()
    return {well: (status, step, error) for well, status, step, error in (line.split("|") for line in lines)}


@pytest.mark.parametrize("mode", list(ExecutionMode))
def test_a_deed_reaches_no_other_well(plate: Path, tmp_path: Path, mode: ExecutionMode) -> None:
    deeds, output = [*GOOD, *BAD], tmp_path / "out"
    ended = dict(zip(deeds, run(plate, output, mode, deeds).values(), strict=True))
    assert {deed: ended[deed] for deed in GOOD} == dict.fromkeys(GOOD, (COMPLETE, "", ""))
    assert {deed: ended[deed] for deed in BAD} == {
        deed: (FAILED, "deed", f"{deed} failed on s*_w1_z1_t1: {text}") for deed, text in BAD.items()
    }
    with (output / "measurements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["well"] for row in rows] == list(wells_of(GOOD))
    assert len({row[f"state_{when}"] for row in rows for when in ("before", "after")}) == 1
    assert (output / "measurements.csv").stat().st_mode == ordinary(tmp_path / "any").stat().st_mode


def ordinary(path: Path) -> Path:
    path.touch()
    return path


def test_a_process_that_ends_says_the_step(plate: Path, tmp_path: Path) -> None:
    deeds = ["exit_hard", "child", "exit_hard", "environ"]
    ended = list(run(plate, tmp_path / "out", ExecutionMode.PROCESSES, deeds, workers=2).values())
    assert [(status, step) for status, step, _ in ended] == [(FAILED, "deed"), (COMPLETE, "")] * 2
    assert "well A01 ended unexpectedly (exit code 7)" in ended[0][2]


def test_what_cannot_be_put_back_costs_the_well_and_its_process_only(plate: Path, tmp_path: Path) -> None:
    if psutil.Process().uids().effective == 0:
        pytest.skip("root may raise limits again")
    deeds = ["hard_limits", "environ", "hard_limits", "child"]
    ended = list(run(plate, tmp_path / "out", ExecutionMode.PROCESSES, deeds).values())
    assert [status for status, _, _ in ended] == [FAILED, COMPLETE] * 2
    assert "it changed process state that can't be restored: resource limits" in ended[0][2]


def test_a_folder_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    keeper = Keeper()

    def go_and_remove() -> None:
        with keeper:
            os.chdir(tmp_path)
            here.rmdir()

    with pytest.raises(SpoiltError, match="the working folder"):
        go_and_remove()
    assert keeper.is_spoilt
    with keeper:
        os.environ["DEED"] = "done"
    assert "DEED" not in os.environ


def test_blocks_that_overlap_put_back_what_was_before_all_of_them(tmp_path: Path) -> None:
    keeper, before = Keeper(), os.getcwd()
    with keeper:
        os.chdir(tmp_path)
        with keeper:
            assert os.getcwd() == str(tmp_path)
            os.chdir("/")
        assert os.getcwd() == before
        os.chdir("/")
    assert os.getcwd() == before


def test_a_limit_of_open_files_is_named(plate: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(source=f"{HEAD}\npipeline_steps = [FunctionStep(chdir)]\n"))
    command = [sys.executable, str(script), str(plate), str(tmp_path / "out"), "processes", "2", "A01"]
    limited = ["sh", "-c", 'ulimit -n 40; exec "$@"', "sh", *command]
    done = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "only have 40 open files: raise that limit, 'ulimit -n 1024'" in done.stderr.splitlines()[-1]
    assert "__main__" not in done.stderr.splitlines()[-1]


HOLD = """
def hold(stack, path):
    pool = multiprocessing.get_context("fork").Pool(2)
    children = [process.pid for process in multiprocessing.active_children()]
    with open(path, "w") as told:
        print(os.getpid(), *children, file=told)
    signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the workers end with their parent")
def test_processes_of_functions_end_with_a_run_that_is_killed(
    plate: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = tmp_path / "script.py"
    steps = f"pipeline_steps = [FunctionStep((hold, {{'path': {str(fifo)!r}}}))]\n"
    script.write_text(SCRIPT.format(source=HEAD + HOLD + steps))
    home = tmp_path_factory.mktemp("h")  # a process that is killed leaves its socket
    command = [sys.executable, str(script), str(plate), str(tmp_path / "out"), "processes", "1", "A01"]
    with subprocess.Popen(command, env={**os.environ, "HOME": str(home)}) as process:
        with fifo.open(encoding="ascii") as told:
            held = [psutil.Process(int(pid)) for pid in told.readline().split()]
        assert len(held) == 3
        process.kill()
    _, alive = psutil.wait_procs(held, timeout=30)
    assert alive == []
