"""Servers whose tasks do what the tests need; found by worker processes through this file's path."""

import contextlib
import ctypes
import fcntl
import importlib
import locale
import logging
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import psutil

from zmqruntime import ExecuteRequest, ProgressPhase, ProgressStatus, ProgressUpdate
from zmqruntime.execution import ExecutionServer, TaskFailed, TaskLink, WorkerKind, current_task, join_task
from zmqruntime.execution.server.handovers import Pace

SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]


def report(completed: int, total: int, axis_id: str = "A01", phase: str = ProgressPhase.PATTERN_GROUP) -> None:
    """One progress update of the current task."""
    current_task().report(
        axis_id=axis_id,
        step_name="count",
        step_index=0,
        total_steps=1,
        phase=ProgressPhase(phase),
        status=ProgressStatus.RUNNING,
        completed=completed,
        total=total,
    )


def until_cancelled(axis_id: str | None = None) -> None:
    """Work that asks whether to stop."""
    tick = threading.Event()
    while True:
        current_task().check_cancelled(axis_id)
        tick.wait(0.002)


def in_pool_process(link: TaskLink, axis_id: str) -> None:
    """An axis that runs in another process until it is told to stop."""
    with join_task(link):
        report(0, 1, axis_id, ProgressPhase.AXIS_STARTED)
        until_cancelled(axis_id)


class BenchServer(ExecutionServer):
    """Does what the payload's ``do`` names."""

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> Any:
        payload = request.payload or {}
        method = getattr(self, "do_" + payload.get("do", "nothing"))
        return method(**{key: value for key, value in payload.items() if key != "do"})

    def do_nothing(self, value: Any = None) -> Any:
        return value

    def do_count(self, upto: int, axis_id: str = "A01") -> int:
        for number in range(upto):
            report(number, upto, axis_id, ProgressPhase.STEP_STARTED)
        return upto

    def do_append(self, file: str) -> None:
        with Path(file).open("a") as target:
            target.write("ran\n")

    def do_resumable_until(self, file: str) -> int:
        """Reports now and then until the file is there."""
        tick, number = threading.Event(), 0
        while not Path(file).exists():
            number += 1
            report(number, 1_000_000, phase=ProgressPhase.STEP_STARTED)
            current_task().log.info("line %d", number)
            tick.wait(0.05)
            current_task().check_cancelled()
        return number

    def do_who(self) -> list[int]:
        guard = psutil.Process().parent()
        assert guard is not None
        return [os.getpid(), guard.ppid()]

    def do_pid(self) -> int:
        return os.getpid()

    def do_code(self, code: str) -> Any:
        """What a test makes up: the value of ``result`` after it."""
        names: dict[str, Any] = {"task": current_task(), "report": report, "os": os, "sys": sys, "self": self}
        exec(code, names)
        return names.get("result")

    def step(self, **changes: Any) -> dict[str, Any]:
        """What a report needs."""
        fields = {"axis_id": "A01", "step_name": "s", "step_index": 0, "total_steps": 1, "completed": 0, "total": 1}
        return {**fields, "phase": "pattern_group", "status": "running", **changes}

    def do_throw(self, door: str, value: Any) -> Any:
        """A value at one of the places where a task may leave one, spoiled in ways that no payload can be."""
        spoiled = {"deep": [value] * 2, "it": value, "name": "pl\udce4t" if door == "progress" else "ok"}
        match door:
            case "checkpoint":
                current_task().checkpoint("a", spoiled)
            case "progress":
                current_task().report(**self.step(message=str(spoiled)))
            case "result":
                for _ in range(50):
                    spoiled = {"again": spoiled}
        return spoiled

    def do_steps(self, count: int, size: int) -> bytes:
        """Progress, lines and checkpoints, little by little, and a result of that size."""
        task, tick = current_task(), threading.Event()
        for number in range(count):
            report(number, count, phase=ProgressPhase.STEP_STARTED)
            task.log.info("line %d", number)
            task.checkpoint(str(number), number)
            tick.wait(0.01)
        return b"x" * size

    def do_variable(self, name: str) -> str | None:
        return os.environ.get(name)

    def do_executable(self) -> str:
        return sys.executable

    def do_started_with(self) -> dict[str, Any]:
        """As the kernel knows it, not as Python has copied it."""
        pairs = Path("/proc/self/environ").read_text().rstrip("\0").split("\0")
        return {"variables": dict(pair.split("=", 1) for pair in pairs), "folder": os.getcwd()}

    def do_state(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "variable": os.environ.get("MADE_BY_A_TASK"),
            "folder": os.getcwd(),
            "umask": [os.umask(0o022), os.umask(0o022)][0],
            "limit": list(resource.getrlimit(resource.RLIMIT_NOFILE)),
            "handler": str(signal.getsignal(signal.SIGUSR1)),
            "stdout": sys.stdout is None,
            "path": len(sys.path),
            "depth": sys.getrecursionlimit(),
            "niceness": os.nice(0),
            "numbers": locale.setlocale(locale.LC_NUMERIC),
            "alarm": list(signal.getitimer(signal.ITIMER_REAL)),
        }

    def do_change_state(self) -> None:
        os.environ["MADE_BY_A_TASK"] = "1"
        os.chdir("/")
        os.umask(0o077)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        sys.path.insert(0, "/nowhere")
        sys.setrecursionlimit(5000)
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
        signal.setitimer(signal.ITIMER_REAL, 3600)
        sys.stdout = sys.stderr = None

    def do_lower_hard_limit(self) -> None:
        if os.getuid() == 0:  # who may raise it again loses that right for good
            os.setresuid(65534, 65534, 65534)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    def do_import_from(self, folder: str, name: str) -> Any:
        if folder not in sys.path:
            sys.path.append(folder)
        return importlib.import_module(name).VALUE

    def do_import_and_edit(self, folder: str, name: str, text: str) -> Any:
        value = self.do_import_from(folder, name)
        Path(folder, f"{name}.py").write_text(text)
        return value

    def do_raise(self, text: str) -> None:
        raise ValueError(text)

    def do_fail(self, text: str, value: Any) -> None:
        raise TaskFailed(text, result=value)

    def do_exit(self, code: int) -> None:
        os._exit(code)

    def do_sys_exit(self) -> None:
        sys.exit(5)

    def do_segfault(self) -> None:
        ctypes.string_at(0)

    def do_kill_self(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def do_unencodable(self) -> object:
        return object()

    def do_unencodable_failure(self) -> None:
        raise TaskFailed("the reason", result=object())

    def do_wait(self) -> None:
        report(0, 1)
        until_cancelled()

    def do_swallow(self) -> None:
        report(0, 1)
        while True:
            try:
                until_cancelled()
            except Exception:  # noqa: BLE001 - what a user may write
                continue

    def do_finish_although_cancelled(self) -> str:
        report(0, 1)
        tick = threading.Event()
        while not current_task().cancelled:
            tick.wait(0.002)
        return "finished all the same"

    def do_overrun(self) -> str:
        """Work that asks only now and then, and finishes what it has begun."""
        report(0, 1)
        told = threading.Event()
        with current_task().on_cancel(lambda axis_id: told.set()):
            told.wait(60)
        return "finished too late"

    def do_ignore_everything(self) -> None:
        report(0, 1)
        threading.Event().wait(60)

    def do_hooked(self) -> list[str | None]:
        """Who is told of a cancel, and where."""
        task, told = current_task(), list[str | None]()
        ended = threading.Event()

        def note(axis_id: str | None) -> None:
            assert current_task() is task
            told.append(axis_id)
            if len(told) == 2:
                ended.set()

        with task.on_cancel(note):
            report(0, 1)
            ended.wait(60)
        raise TaskFailed("it was told", result=told)

    def do_cancel_self(self) -> None:
        current_task().request_cancel()
        current_task().check_cancelled()

    def do_log(self, lines: int) -> None:
        for number in range(lines):
            current_task().log.warning("line %d", number)

    def do_print(self) -> None:
        print("printed")
        print("to stderr", file=sys.stderr)
        logging.getLogger("library").error("logged by a %s", "library")
        libc = ctypes.CDLL(None)
        libc.puts(b"from C")
        libc.fflush(None)
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        os.write(1, b"without an end")

    def do_log_and_print(self) -> None:
        current_task().log.info("through the task")
        logging.getLogger("library").warning("through logging")
        print("printed")
        thread = threading.Thread(target=logging.getLogger("other").warning, args=("by another thread",))
        thread.start()
        thread.join()

    def do_talk(self, lines: int, width: int) -> None:
        for number in range(lines):
            print(f"{number:0{width}d}")

    def do_bad_progress(self) -> str:
        try:
            self.send_progress_update({"type": "progress", "axis_id": "A01"})
        except ValueError as error:
            return str(error)
        return "accepted"

    def do_rude(self) -> None:
        """Progress that no honest task can send: it goes past the check at the sender."""
        task = current_task()
        report(0, 3, phase=ProgressPhase.STEP_STARTED)
        good = ProgressUpdate(
            execution_id=task.execution_id,
            plate_id="",
            axis_id="A01",
            step_name="count",
            step_index=0,
            total_steps=1,
            phase=ProgressPhase.STEP_STARTED,
            status=ProgressStatus.RUNNING,
            completed=1,
            total=3,
            percent=33.3,
            timestamp=0.0,
            sequence=0,
        )
        for change in ({"completed": 9}, {"timestamp": float("nan")}, {"percent": 150.0}, {"phase": "thinking"}):
            task._channel.report(msgspec.structs.replace(good, **change))
        task.log.info("between")
        report(2, 3, phase=ProgressPhase.STEP_STARTED)

    def do_axes(self, axes: list[str]) -> list[str]:
        """Each axis in a process of its own; they end when they are cancelled."""
        link = current_task().link()
        context = multiprocessing.get_context("spawn")
        processes = {axis: context.Process(target=in_pool_process, args=(link, axis)) for axis in axes}
        for process in processes.values():
            process.start()
        for process in processes.values():
            process.join()
        return [axis for axis in axes if current_task().is_cancelled(axis)]

    def do_link_and_hold(self) -> None:
        """Make a way for other processes to join, and hear nothing any more."""
        current_task().link()
        self.do_hold_interpreter()

    def do_grandchild(self) -> None:
        """Start a process that leaves our group and whose parent ends, as a daemon does."""
        streams = "start_new_session=True, stdout=s.DEVNULL, stderr=s.DEVNULL"
        start = f"import subprocess as s; print(s.Popen({SLEEPER!r}, {streams}).pid)"
        pid = subprocess.run([sys.executable, "-c", start], check=True, capture_output=True, text=True).stdout
        current_task().log.info("%d", int(pid))
        report(0, 1)
        until_cancelled()

    def do_leave_grandchild(self, ending: str) -> None:
        subprocess.Popen(SLEEPER, start_new_session=True)
        getattr(self, "do_" + ending)()

    def do_flaky(self, failures: int) -> int:
        attempt = len(current_task().checkpoints()) + 1
        current_task().checkpoint(str(attempt), attempt)
        if attempt <= failures:
            raise OSError(f"attempt {attempt}")
        return attempt

    def do_resumable(self, upto: int) -> list[int]:
        task = current_task()
        done = {int(key) for key in task.checkpoints()}
        for number in range(upto):
            if number not in done:
                task.checkpoint(str(number), os.getpid())
                report(number, upto, phase=ProgressPhase.STEP_STARTED)
                if number == upto // 2 and not done:
                    until_cancelled()
        return sorted(done)

    def do_hold_interpreter(self) -> None:
        report(0, 1)
        threading.Event().wait(0.2)
        ctypes.PyDLL(None).sleep(60)

    def do_chaos(self, kind: str, folder: str) -> str:
        """Notes when it runs while another process runs the same execution."""
        task = current_task()
        with Path(folder, f"{task.execution_id}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                with Path(folder, "twice").open("a") as twice:
                    twice.write(f"{task.execution_id}\n")
            task.checkpoint("step", kind)
            for number in range(3):
                report(number, 3, phase=ProgressPhase.STEP_STARTED)
                task.log.info("step %d", number)
            if kind == "long":
                until_cancelled()
            if kind == "fail":
                raise ValueError("this one fails")
            if kind == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            Path(folder, f"{task.execution_id}.ran").touch()
        return kind


class HandingAheadServer(BenchServer):
    """Hands over up to 16 executions ahead, and never takes them back because the first one is slow."""

    def on_open(self, stack: contextlib.ExitStack) -> None:
        super().on_open(stack)
        self._runner.dispatcher.pace = AlwaysFast()


class AlwaysFast(Pace):
    """Expects that all executions are short."""

    patience_seconds = 3600.0

    def ahead(self, name: str) -> int:
        return 16


class HandingAheadForAMomentServer(BenchServer):
    """Hands over up to 16 executions ahead to each of two workers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, max_concurrent=2, **kwargs)

    def on_open(self, stack: contextlib.ExitStack) -> None:
        super().on_open(stack)
        self._runner.dispatcher.pace = AlwaysFast()
        self._runner.dispatcher.pace.patience_seconds = 0.05


class TwoAtOnceServer(BenchServer):
    """Runs two executions at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_concurrent": 2, **kwargs})


class NeedyServer(BenchServer):
    """Needs an argument that it does not hand to its workers."""

    def __init__(self, port: int | None = None, *, model: str, **kwargs: Any) -> None:
        super().__init__(port, **kwargs)
        self.model = model


class ModelServer(NeedyServer):
    """Hands its argument to its workers."""

    def worker_options(self) -> dict[str, Any]:
        return {"model": self.model}

    def do_model(self) -> str:
        return self.model


class SmallQueueServer(BenchServer):
    """Takes few at a time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_queued": 3, **kwargs})


class ShortResultsServer(BenchServer):
    """Takes results of up to a megabyte."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_result_bytes": 1_000_000, **kwargs})


class SlowStartServer(BenchServer):
    """Its workers take a while to load."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "zmqruntime.execution.workers.worker" in sys.modules:
            threading.Event().wait(0.5)


class ForgetfulServer(BenchServer):
    """Keeps little of the past."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"keep_history": 2, "log_limit": 50_000, **kwargs})


class ThreadServer(BenchServer):
    """Runs its tasks in a thread of its own process."""

    worker_kind = WorkerKind.THREAD


class ManyAtOnceServer(ThreadServer):
    """Runs as many at a time as a test has, each in a thread."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, max_concurrent=80, **options)


class TwoThreadsServer(ThreadServer):
    """Two of them at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_concurrent": 2, **kwargs})


class ImpatientThreadServer(ThreadServer):
    """Does not wait long for tasks that do not stop."""

    thread_stop_seconds = 0.3
