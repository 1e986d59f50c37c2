"""A server whose tasks count with ``track``, in threads, in processes and in bars of tqdm."""

import contextlib
import importlib
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zmqruntime import ExecuteRequest
from zmqruntime.execution import ExecutionServer, TaskLink, bars_as_progress, current_task, join_task, report, track


def count(name: str) -> str:
    for _ in track("abc", name):
        time.sleep(0.11)  # long enough to be reported, whatever else is reported
    return current_task().execution_id


def count_in_process(link: TaskLink, name: str) -> None:
    with join_task(link):
        count(name)


def waiting(gate: Path) -> None:
    """One item of three, until the gate is open."""
    for number in track(range(3), "epoch"):
        for _ in track(iter(range(5)), "batch", total=5):
            while number == 1 and not gate.exists():
                report(1, 2, "at the gate")
                current_task().check_cancelled()
                time.sleep(0.02)


class CountingServer(ExecutionServer):
    def execute_task(self, execution_id: str, request: ExecuteRequest) -> list[str]:
        what = request.payload
        with bars_as_progress() if what == "bars" else contextlib.nullcontext():
            if what == "threads":
                with ThreadPoolExecutor(2) as pool:
                    return list(pool.map(count, ["left", "right"]))
            if what == "process":
                link = current_task().link()
                process = multiprocessing.get_context("spawn").Process(target=count_in_process, args=(link, "away"))
                process.start()
                process.join()
            elif what == "bars":
                list(importlib.import_module("tqdm").tqdm(range(3), desc="bar", mininterval=0))
            else:
                waiting(Path(what))
        return [execution_id]
