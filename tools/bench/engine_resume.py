"""Kill the server, or any process, at a random point of a run, finish it, and compare every output file.

Prints a line for each round: what was killed and when, how many wells were kept, and whether all files are
bit-identical to those of an undisturbed run. The second half of the rounds has a pipeline with a step over the plate,
and kills the server, a worker or what they are forked from around that step.
"""

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import figures
import psutil
from figures import Figure

from openhcs_runtime import GlobalConfig, PipelineConfig, make_plate
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient
from zmqruntime.messages import ExecutionStatus, ProgressUpdate

OVER_THE_PLATE = """
import time
from openhcs_runtime import (
    Component, FunctionStep, InputKind, Measurements, OutputKind, PlateStep, plate_inputs, plate_output,
    special_inputs, special_outputs
)

@special_inputs(InputKind.RNG)
@special_outputs(OutputKind.MEASUREMENTS)
def before(stack, *, rng):
    time.sleep(0.02)
    return stack + rng.normal(size=stack.shape), [Measurements({"mean": float(plane.mean())}) for plane in stack]

@special_inputs(InputKind.RNG)
@plate_output("level", per=Component.CHANNEL)
def level(plate, *, rng):
    time.sleep(0.1)
    return {channel: sum(image.read().mean() for image in plate.images()) + rng.normal() for channel in plate.channels}

@special_inputs(InputKind.MEASUREMENTS)
@special_outputs(OutputKind.MEASUREMENTS)
@plate_inputs("level")
def after(stack, *, measurements, level):
    time.sleep(0.02)
    return stack, [Measurements({"relative": one["mean"] / two}) for one, two in zip(measurements, level, strict=True)]

pipeline_steps = [FunctionStep(before), PlateStep(level), FunctionStep(after, materialize=True)]
"""


def main() -> int:
    """Run the rounds; return 1 if any file of any round differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="number of rounds [default: 20]")
    parser.add_argument("--wells", type=int, default=96, help="wells of the plate [default: 96]")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random times [default: 0]")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="er") as home:
        chance = random.Random(options.seed)
        os.environ["HOME"] = home
        plate = make_plate(Path(home) / "plate", wells=options.wells, sites=1, channels=1, size=128)
        for title, source, kill in (
            ("after a kill", builtin_source(), kill_server),
            ("with a step over the plate after a kill", OVER_THE_PLATE, kill_around_the_plate_step),
        ):
            begin = time.perf_counter()
            run(plate, Path(home) / "undisturbed", source)
            whole = time.perf_counter() - begin
            wanted = digests(Path(home) / "undisturbed")
            shutil.rmtree(Path(home) / "undisturbed")
            print(f"{options.wells} wells, {len(wanted)} files, undisturbed {whole:.1f} s", flush=True)
            equal = [
                one_round(plate, Path(home) / "out", source, wanted, lambda *of_run: kill(chance, whole, *of_run))  # noqa: B023  called at once
                for _ in range(options.rounds)
            ]
            name = f"runs of {options.wells} wells {title} that differ, of {options.rounds}"
            report.tell(Figure(name, len(equal) - sum(equal), "", bar=0))
    return int(report.missed > 0)


def one_round(plate: Path, output: Path, source: str, wanted: dict[str, str], kill: "Kill") -> bool:
    """Run one round and return whether all files are equal."""
    execution = run(plate, output, source, kill)
    found = digests(output)
    shutil.rmtree(output)
    assert execution.plate is not None, execution.message
    kept = sum(well.reused for well in execution.plate.wells)
    differing = [name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)]
    verdict = "equal" if not differing else f"DIFFER: {sorted(differing)[:5]}"
    print(f"{kept:3} wells kept, attempt {execution.attempts}: {verdict}", flush=True)
    return not differing


Kill: TypeAlias = Callable[[ZMQExecutionClient, str], None]
"""Kills a process at some point of an execution."""


def kill_server(chance: random.Random, whole: float, client: ZMQExecutionClient, _execution_id: str) -> None:
    """Kill the server after a random part of the time that a run takes."""
    delay = chance.uniform(0, whole)
    threading.Event().wait(delay)
    print(f"server killed after {delay:5.2f} s, ", end="", flush=True)
    os.kill(client.server.pid, signal.SIGKILL)


def kill_around_the_plate_step(
    chance: random.Random, _whole: float, client: ZMQExecutionClient, execution_id: str
) -> None:
    """Kill any process of the run while the step over the plate is running, or just before or after."""
    step, nth = chance.choice(["before", "level", "after"]), chance.randint(1, 4)
    seen = 0
    for event in client.events(execution_id):
        if isinstance(event, ProgressUpdate) and event.step_name == step:
            seen += 1
            if seen == nth:
                break
    server = psutil.Process(client.server.pid)
    victim = chance.choice([server, *server.children(recursive=True)])
    with contextlib.suppress(psutil.Error):
        name = "server" if victim == server else victim.cmdline()[-1][-24:]
        print(f"{name} killed in {step!r}, ", end="", flush=True)
        victim.kill()


def run(plate: Path, output: Path, source: str, kill: Kill | None = None) -> PlateExecution:
    """Run a pipeline, let something be killed, and resume it until it is complete."""
    with ZMQExecutionClient(port=7797, persistent=True) as client:
        settings = GlobalConfig(num_workers=2, seed=1), PipelineConfig(output_dir=str(output))
        execution_id = client.submit_pipeline(plate, source, *settings).execution_id
        if kill is not None:
            kill(client, execution_id)
            client.connect()
        execution = client.wait(execution_id, 600)
        while execution.status is ExecutionStatus.FAILED:
            assert execution.refusal is None, execution.message
            execution = client.wait(client.resume(execution.execution_id).execution_id, 600)
        client.shutdown_server()
    return execution


def digests(folder: Path) -> dict[str, str]:
    """Return the digests of all files except those that contain times."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".json", ".log", ".value")]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


if __name__ == "__main__":
    sys.exit(main())
