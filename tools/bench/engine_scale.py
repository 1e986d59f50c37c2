"""How the engine copes with large plates: flat memory, a plate of 1,536 wells, a cancel in the middle of a step.

    python tools/bench/engine_scale.py [memory] [plate] [cancel]

`memory`: peak memory of a worker over 24 and over 384 wells. `plate`: `info`, `compile` and the server's memory for
1,536 wells x 9 sites x 4 channels of tiny images (hard links to one file). `cancel`: two wells in the middle of 200
pattern groups, in processes and on a local Dask cluster. Prints the results with their limits; the exit code is 1 if
one is missed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import figures
import numpy as np
import psutil
import tifffile
from figures import Figure, Report

from openhcs_runtime import GlobalConfig, PipelineConfig, PipelineOrchestrator, make_plate
from openhcs_runtime.builtin import builtin_pipeline, builtin_source
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.service.client import ZMQExecutionClient

PORT = 7796
INFO_SECONDS, COMPILE_SECONDS, SERVER_BYTES = 3.0, 5.0, 200_000_000
MEMORY_GROWTH = 1.1
GROUPS = 200
SLOW = """
import threading
from openhcs_runtime import Component, FunctionStep
def slow(stack):
    threading.Event().wait(0.05)
    return stack
pipeline_steps = [FunctionStep(slow, variable_components=(Component.CHANNEL,))]
"""


def main() -> int:
    """Run the named parts, or all."""
    parts = {"memory": worker_memory, "plate": large_plate, "cancel": cancel_latency}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(parts)} [default: all]")
    with figures.report(parser) as (options, report):
        for name in options.parts or list(parts):
            with tempfile.TemporaryDirectory(prefix="es") as folder:
                os.environ["HOME"] = folder
                parts[name](Path(folder), report)
    return int(report.missed > 0)


def worker_memory(folder: Path, report: Report) -> None:
    """Measure the peak memory of a well, over few and over many wells."""
    most = {}
    for wells in (24, 384):
        plate = make_plate(folder / f"plate{wells}", wells=wells, sites=1, channels=1, size=256)
        config = PipelineConfig(str(folder / f"out{wells}"))
        with PipelineOrchestrator(plate, builtin_pipeline(), GlobalConfig(2), config) as orchestrator:
            result = orchestrator.run()
        most[wells] = max(well.peak_memory_bytes or 0 for well in result.wells)
        print(f"memory of a worker over {wells} wells: {most[wells] / 1e6:.1f} MB at most")
    report.tell(Figure("memory of a worker, 384 wells compared with 24", most[384] / most[24], "x", bar=MEMORY_GROWTH))


def large_plate(folder: Path, report: Report) -> None:
    """List 55,296 images, compile for them, and measure the memory of the server."""
    plate = linked_plate(folder / "plate")
    command = [sys.executable, "-m", "openhcs_runtime.cli"]
    subprocess.run([*command, "info", plate, "--json"], check=True, stdout=subprocess.DEVNULL)  # warms up caches
    started = time.perf_counter()
    subprocess.run([*command, "info", plate, "--json"], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    report.tell(Figure("info, 1,536 wells x 9 sites x 4 channels", seconds, "s", bar=INFO_SECONDS))
    with ZMQExecutionClient(port=PORT) as client:
        started = time.perf_counter()
        execution = client.wait(client.compile_pipeline(plate, builtin_source()).execution_id, 600)
        seconds = time.perf_counter() - started
        report.tell(Figure("compile of the same plate on the server", seconds, "s", bar=COMPILE_SECONDS))
        assert execution.compiled is not None, execution.message
        run = client.submit_compiled(execution.execution_id)
        begun = client.wait(run.execution_id, 3600)
        print(f"a run over it: {begun.status}, {begun.message}")
        megabytes = psutil.Process(client.server.pid).memory_info().rss / 1e6
        report.tell(Figure("memory of the server after running it", megabytes, "MB", bar=SERVER_BYTES / 1e6))
        client.shutdown_server()


def linked_plate(folder: Path) -> Path:
    """Make a plate whose images are hard links to one file."""
    (folder / "TimePoint_1").mkdir(parents=True)
    image = folder.parent / "image.tif"
    tifffile.imwrite(image, np.arange(32 * 32, dtype=np.uint16).reshape(32, 32))
    rows = [(prefix + chr(65 + row)) for prefix, count in (("", 26), ("A", 6)) for row in range(count)]
    for row in rows:
        for column in range(1, 49):
            for site in range(1, 10):
                for channel in range(1, 5):
                    name = f"p_{row}{column:02}_s{site}_w{channel}.tif"
                    os.link(image, folder / "TimePoint_1" / name)
    return folder


def cancel_latency(folder: Path, report: Report) -> None:
    """Cancel when both wells have done half of their groups, and count how many more each one does."""
    plate = make_plate(folder / "plate", wells=2, sites=GROUPS, channels=1, size=32)
    for name, machine in (("processes", GlobalConfig(2)), ("a Dask cluster", GlobalConfig(2, dask="local"))):
        done: dict[str, int] = {}
        at_cancel: dict[str, int] = {}
        when = [0.0]

        def callback(well: str, step: str, status: str, update: dict[str, Any]) -> None:
            if update["phase"] != "pattern_group":
                return
            done[well] = update["completed"]  # noqa: B023  the run ends within the iteration
            if not at_cancel and len(done) == 2 and min(done.values()) >= GROUPS // 2:  # noqa: B023
                at_cancel.update(done)  # noqa: B023
                when[0] = time.perf_counter()  # noqa: B023
                orchestrator.cancel()

        output = PipelineConfig(str(folder / name))
        with PipelineOrchestrator(plate, load_pipeline(SLOW), machine, output, callback) as orchestrator:
            result = orchestrator.run()
            seconds = time.perf_counter() - when[0]
        assert result.status == "cancelled", result.wells
        more = max(done[well] - at_cancel[well] for well in done)
        print(f"cancel in {name}: both wells ended within {seconds * 1000:.0f} ms (a group takes 50 ms)")
        report.tell(Figure(f"groups finished after a cancel, {name}", more, "", bar=1))


if __name__ == "__main__":
    sys.exit(main())
