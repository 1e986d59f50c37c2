"""Wells on a Dask cluster: one of real processes, and one that the executor owns; workers and schedulers that die."""

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed.utils import offload

from openhcs_runtime.builtin import builtin_pipeline
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.executors.dask_connection import connect
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.exceptions import PipelineError, WorkerError
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.testing import CommandLine, Gate
from zmqruntime.execution import local_task
from zmqruntime.messages import LogLine

COMPLETE, FAILED, CANCELLED = ResultStatus.COMPLETE, ResultStatus.FAILED, ResultStatus.CANCELLED
SECONDS = 60.0

HEAD = """
import os, pathlib, signal, threading
from openhcs_runtime import Component, FunctionStep, Measurements, OutputKind, special_outputs
from zmqruntime.execution import current_task

def plus(stack, n=1):
    return stack + n

@special_outputs(OutputKind.MEASUREMENTS)
def mean(stack):
    return stack, [Measurements({"mean_count": int(plane.mean())}) for plane in stack]

def says(stack):
    print("printed", end="")
    current_task().log.warning("logged")
    return stack

def until_cancelled(stack, well=None):
    while not current_task().is_cancelled(well):
        threading.Event().wait(0.01)
    return stack

def crash(stack, until=None):
    '''Kill the worker; with `until` only until that file is there.'''
    if until is None or not pathlib.Path(until).exists():
        if until is not None:
            pathlib.Path(until).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return stack

BY_SITE = {"variable_components": (Component.Z_INDEX,)}
BY_WELL = {**BY_SITE, "group_by": Component.WELL}
"""

Events = list[tuple[str, str, str, dict[str, Any]]]


@dataclass(frozen=True)
class Cluster:
    """A scheduler and its workers, each a process."""

    address: str
    scheduler: "subprocess.Popen[str]"


def start_dask(folder: Path, kind: str, *arguments: str, said: str) -> tuple["subprocess.Popen[str]", str]:
    """Start a scheduler or worker; gives the line in which it says that it is there, and what comes after `said`."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder), "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"},
    )
    assert process.stderr is not None
    line = next(line for line in process.stderr if said in line)
    threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would stop it
    return process, line.partition(said)[2].strip()


def start_scheduler(folder: Path) -> Cluster:
    options = ("--host", "127.0.0.1", "--port", "0")
    process, address = start_dask(folder, "scheduler", *options, said="Scheduler at:")
    return Cluster(address, process)


def start_worker(folder: Path, cluster: Cluster) -> "subprocess.Popen[str]":
    options = (cluster.address, "--nthreads", "1", "--no-nanny", "--memory-limit", "0")
    return start_dask(folder, "worker", *options, said="Registered to:")[0]


def end(*processes: "subprocess.Popen[str]") -> None:
    for process in processes:
        process.kill()
        process.wait(SECONDS)
        assert process.stderr is not None
        process.stderr.close()


@pytest.fixture(scope="module", autouse=True)
def _offload_thread() -> None:
    """Dask has a thread for the life of a process."""
    import asyncio

    asyncio.run(offload(int))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler with two workers."""
    folder = tmp_path_factory.mktemp("dask")
    cluster = start_scheduler(folder)
    starting = [threading.Thread(target=lambda: workers.append(start_worker(folder, cluster))) for _ in range(2)]
    workers: list[subprocess.Popen[str]] = []
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    yield cluster
    end(*workers, cluster.scheduler)


@pytest.fixture
def start(tmp_path: Path) -> Any:
    """Make an orchestrator for a pipeline given as the text after HEAD."""
    made: list[PipelineOrchestrator] = []

    def make(
        plate: Path, text: str, address: str, callback: Any = None, output: str = "out", **config: Any
    ) -> PipelineOrchestrator:
        settings = GlobalConfig(num_workers=2, dask=address)
        pipeline = load_pipeline(HEAD + text)
        made.append(
            PipelineOrchestrator(
                plate, pipeline, settings, PipelineConfig(output_dir=str(tmp_path / output), **config), callback
            )
        )
        return made[-1]

    yield make
    for orchestrator in made:
        orchestrator.close()
        orchestrator.close()


def statuses(result: PlateResult) -> dict[str, ResultStatus]:
    return {well.well: well.status for well in result.wells}


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.[cpt]*") if path.is_file()}


def test_outputs_are_those_of_processes(cluster: Cluster, small_plate: Path, tmp_path: Path) -> None:
    for name, config in (("dask", GlobalConfig(2, dask=cluster.address)), ("processes", GlobalConfig(2))):
        output = PipelineConfig(str(tmp_path / name))
        with PipelineOrchestrator(small_plate, builtin_pipeline(), config, output) as orchestrator:
            assert orchestrator.run().status is COMPLETE
            assert orchestrator.run(RunChoice(fresh=True, replace=True)).status is COMPLETE
    assert files_of(tmp_path / "dask") == files_of(tmp_path / "processes")
    assert len(files_of(tmp_path / "dask")) == 16


def test_progress_of_each_well_is_complete_and_in_order(cluster: Cluster, small_plate: Path, start: Any) -> None:
    events: Events = []
    text = "pipeline_steps = [FunctionStep(plus, name='Add', **BY_SITE), FunctionStep(mean, name='Mean')]"
    assert start(small_plate, text, cluster.address, lambda *event: events.append(event)).run().status is COMPLETE
    for well in ("A01", "A02", "A03", "A04"):
        updates = [event[3] for event in events if event[0] == well]
        assert [(u["step_name"], u["phase"], u["status"], u["completed"], u["total"]) for u in updates] == [
            ("pipeline", "axis_started", "started", 0, 2),
            ("Add", "step_started", "started", 0, 4),
            *(("Add", "pattern_group", "running", done, 4) for done in (1, 2, 3, 4)),
            ("Add", "step_completed", "completed", 4, 4),
            ("Mean", "step_started", "started", 0, 2),
            *(("Mean", "pattern_group", "running", done, 2) for done in (1, 2)),
            ("Mean", "step_completed", "completed", 2, 2),
            ("pipeline", "axis_completed", "completed", 2, 2),
        ]
    numbers = [event[3]["sequence"] for event in events if event[0]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len({event[3]["execution_id"] for event in events if event[0]}) == 1


def test_a_thousand_reports_a_well_all_arrive(cluster: Cluster, new_plate: Callable[..., Path], start: Any) -> None:
    events: Events = []
    text = """
def many(stack):
    for number in range(1000):
        current_task().log.info(f"{number}")
    return stack
pipeline_steps = [FunctionStep(many)]
"""
    lines: list[str] = []
    with local_task(lambda event: lines.append(event.text) if isinstance(event, LogLine) else None):
        orchestrator = start(new_plate(wells=1), text, cluster.address)
        assert orchestrator.run().status is COMPLETE
    assert lines == [str(number) for number in range(1000)]
    assert events == []


def test_what_is_logged_and_printed_comes_along(cluster: Cluster, small_plate: Path, start: Any) -> None:
    lines: list[LogLine] = []
    with local_task(lambda event: lines.append(event) if isinstance(event, LogLine) else None) as task:
        text = "pipeline_steps = [FunctionStep({1: says}, group_by=Component.CHANNEL)]"
        start(small_plate, text, cluster.address, wells=("A01",)).run()
    assert {(line.logger, line.text, line.level.value, line.axis_id) for line in lines} == {
        ("task", "logged", "warning", "A01"),
        ("stdout", "printed", "info", "A01"),
    }
    assert {line.execution_id for line in lines} == {task.execution_id}


def test_cancel_reaches_the_workers(cluster: Cluster, new_plate: Callable[..., Path], start: Any) -> None:
    def callback(*event: Any) -> None:
        if event[3]["phase"] == "step_started":
            orchestrator.cancel()

    text = "pipeline_steps = [FunctionStep(until_cancelled, name='Wait', **BY_SITE), FunctionStep(mean)]"
    orchestrator = start(new_plate(wells=8, sites=3), text, cluster.address, callback)
    result = orchestrator.run()
    assert result.status is CANCELLED
    assert set(statuses(result).values()) == {CANCELLED}
    assert {well.step for well in result.wells} == {"Wait", ""}
    orchestrator.reset_cancellation()
    other = start(new_plate("other"), "pipeline_steps = [FunctionStep(mean)]", cluster.address)
    assert set(statuses(other.run(RunChoice(replace=True)))) == {"A01", "A02", "A03", "A04"}


def test_cancel_of_one_well_leaves_the_others(cluster: Cluster, small_plate: Path, start: Any) -> None:
    def callback(well: str, step: str, status: str, metadata: dict[str, Any]) -> None:
        if well == "A02" and metadata["phase"] == "step_started":
            orchestrator.cancel("A02")
            orchestrator.cancel("A04")

    waits = "FunctionStep({'A02': (until_cancelled, {'well': 'A02'})}, name='W', **BY_WELL)"
    orchestrator = start(small_plate, f"pipeline_steps = [{waits}, FunctionStep(mean)]", cluster.address, callback)
    result = orchestrator.run()
    found = statuses(result)
    assert found.pop("A04") in (COMPLETE, CANCELLED)  # it may have been done by then
    assert found == {"A01": COMPLETE, "A02": CANCELLED, "A03": COMPLETE}
    assert result.wells[1].step == "W"


def test_modules_beside_the_pipeline_file_are_read_anew(
    cluster: Cluster, new_plate: Callable[..., Path], tmp_path: Path
) -> None:
    text = (
        HEAD
        + """
def add(stack):
    from helper_of_dask import number
    return stack * 0 + number
pipeline_steps = [FunctionStep(add), FunctionStep(mean)]
"""
    )
    plate, means = new_plate(wells=1), []
    for number in (0, 1000):
        (tmp_path / "helper_of_dask.py").write_text(f"number = {number}\n")
        pipeline = load_pipeline(text, "p.py", str(tmp_path))
        output = PipelineConfig(str(tmp_path / f"out{number}"))
        with PipelineOrchestrator(plate, pipeline, GlobalConfig(dask=cluster.address), output) as orchestrator:
            means.append(orchestrator.run().counts["mean_count"])
    assert means == [0, 1000]


def test_no_scheduler_is_said_clearly(
    small_plate: Path, start: Any, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openhcs_runtime.engine.executors.dask_connection.CONNECT_SECONDS", 0.5)
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(WorkerError, match=f"no reply from a Dask scheduler at {address}"):
        start(small_plate, "pipeline_steps = [FunctionStep(mean)]", address).run()


def test_a_scheduler_that_goes_ends_the_run(small_plate: Path, start: Any, tmp_path: Path) -> None:
    cluster = start_scheduler(tmp_path)
    killer = threading.Thread(target=end, args=(cluster.scheduler,))

    def on_event(event: object) -> None:
        if isinstance(event, LogLine) and "has no workers yet" in event.text:
            killer.start()

    with local_task(on_event), pytest.raises(WorkerError, match=f"the Dask scheduler at {cluster.address} is gone"):
        start(small_plate, "pipeline_steps = [FunctionStep(mean)]", cluster.address).run()
    killer.join()


def test_a_lost_worker_costs_its_well_another_attempt(
    cluster: Cluster, small_plate: Path, start: Any, gate: Gate, tmp_path: Path
) -> None:
    """Three workers have a well each; one is killed while all of them wait."""
    text = gate.pipeline.read_text(encoding="utf-8").replace("def hold", "import os\n\ndef hold")
    text = text.replace(
        "    with contextlib", "    current_task().log.info(f'pid {os.getpid()}')\n    with contextlib", 1
    )
    worker = start_worker(tmp_path, cluster)
    lines: list[str] = []
    told = threading.Event()

    def on_event(event: object) -> None:
        if isinstance(event, LogLine):
            lines.append(event.text)
            if event.text == f"pid {worker.pid}":
                told.set()

    def kill() -> None:
        for _ in range(3):
            gate.wait_for_well()
        told.wait(SECONDS)
        end(worker)
        gate.open()

    killing = threading.Thread(target=kill)
    killing.start()
    with local_task(on_event):
        settings = GlobalConfig(dask=cluster.address)
        output = PipelineConfig(str(tmp_path / "out"))
        with PipelineOrchestrator(small_plate, load_pipeline(text), settings, output) as orchestrator:
            result = orchestrator.run()
    killing.join()
    assert result.status is COMPLETE
    assert len([line for line in lines if "was lost while processing well" in line]) == 1


def test_a_local_cluster_survives_its_workers_and_leaves_nothing(
    small_plate: Path, tmp_path: Path, start: Any, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.chdir(temporary)
    once = f"(crash, {{'until': {str(tmp_path / 'crashed')!r}}})"
    steps = f"FunctionStep({{'A01': crash, 'A03': {once}}}, name='Die', **BY_WELL), FunctionStep(mean)"
    events: Events = []
    orchestrator = start(small_plate, f"pipeline_steps = [{steps}]", "local", lambda *event: events.append(event))
    # As if a worker took longer to come back than the 15 s that Dask waits for it.
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}):
        result = orchestrator.run()
    assert statuses(result) == {"A01": FAILED, "A02": COMPLETE, "A03": COMPLETE, "A04": COMPLETE}
    # Three losses, and up to two before them that Dask counts for another well, too.
    assert re.search(r"all Dask workers that processed well A01 were lost \([345]\)", result.wells[0].error)
    assert [event[2] for event in events if event[0] == "A01"][-1] == "error"
    orchestrator.close()
    assert not [path for path in temporary.iterdir() if path.name.startswith(("openhcs", "dask"))]


def test_the_command_runs_on_a_cluster(cluster: Cluster, small_plate: Path, command: CommandLine) -> None:
    arguments = ("run", small_plate, "--output", command.home / "out", "--workers", "auto", "--json", "--dask")
    finished = command(*arguments, cluster.address)
    assert (finished.code, finished.document["status"]) == (0, "complete"), finished.stderr
    wrong = command(*arguments, "host:8786")
    assert (wrong.code, wrong.document["error"]["kind"]) == (2, "usage")


@pytest.mark.parametrize("address", ["host:8786", "", "tcp://", "tcp:// a"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(PipelineError, match="neither 'local' nor an address"):
        GlobalConfig(dask=address)


def test_an_address_selects_the_mode() -> None:
    assert GlobalConfig(dask="tls://host:8786").mode is ExecutionMode.DASK
    assert GlobalConfig(mode=ExecutionMode.DASK).dask == "local"
    assert GlobalConfig(dask="tcp://host:8786").workers_for(1000) == 1000
    assert GlobalConfig(3, dask="tcp://host:8786").workers_for(1000) == 3


def test_a_library_that_a_local_cluster_lacks_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with (
        contextlib.ExitStack() as stack,
        pytest.raises(WorkerError, match=r"cryptography.*: pip install 'openhcs-runtime\[dask\]'"),
    ):
        connect("local", 1, stack)
