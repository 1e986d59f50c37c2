"""Kill server and workers at a random point of a run, let the next server finish it, and compare every output file.

Prints a line for each round: the time of the kill, how many wells were kept, and whether all files are bit-identical to
those of an undisturbed run.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import figures
from figures import Figure

from openhcs_runtime import GlobalConfig, PipelineConfig, make_plate
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient


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
        begin = time.perf_counter()
        run(plate, Path(home) / "undisturbed", None)
        whole = time.perf_counter() - begin
        wanted = digests(Path(home) / "undisturbed")
        print(f"{options.wells} wells, {len(wanted)} files, undisturbed {whole:.1f} s", flush=True)
        equal = [one_round(plate, Path(home) / "out", wanted, chance.uniform(0, whole)) for _ in range(options.rounds)]
        name = f"runs of {options.wells} wells that differ after a kill, of {options.rounds}"
        report.tell(Figure(name, len(equal) - sum(equal), "", bar=0))
    return int(report.missed > 0)


def one_round(plate: Path, output: Path, wanted: dict[str, str], delay: float) -> bool:
    """Run one round and return whether all files are equal."""
    execution = run(plate, output, delay)
    found = digests(output)
    shutil.rmtree(output)
    assert execution.plate is not None, execution.message
    kept = sum(well.reused for well in execution.plate.wells)
    differing = [name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)]
    verdict = "equal" if not differing else f"DIFFER: {sorted(differing)[:5]}"
    print(f"killed after {delay:5.2f} s, {kept:3} wells kept, attempt {execution.attempts}: {verdict}", flush=True)
    return not differing


def run(plate: Path, output: Path, kill_after: float | None) -> PlateExecution:
    """Run the built-in pipeline; kill the server after ``delay`` seconds, and let another one continue."""
    with ZMQExecutionClient(port=7797, persistent=True) as client:
        settings = GlobalConfig(num_workers=2), PipelineConfig(output_dir=str(output))
        execution_id = client.submit_pipeline(plate, builtin_source(), *settings).execution_id
        if kill_after is not None:
            threading.Event().wait(kill_after)
            os.kill(client.server.pid, signal.SIGKILL)
            client.connect()
        execution = client.wait(execution_id, 600)
        client.shutdown_server()
    return execution


def digests(folder: Path) -> dict[str, str]:
    """Return the digests of all files except JSON documents, which contain times."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json"]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


if __name__ == "__main__":
    sys.exit(main())
