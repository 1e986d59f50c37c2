"""What a run from the shell costs on a server that is already warm, and how often its workers load a model.

    python tools/bench/warm_run.py [--rounds 10] [--size 512] [--load-seconds 2]

The first part runs one well of the built-in nuclei count with `openhcs-runtime run`, from the start of the process to
its end. Its floor is `python -c 'import rich, zmq'`, which a command line with this server connection can't go below,
plus the time that the well itself took. Both are measured in turns. The limit is 3 times the floor. The first run also
starts the server: its floor is to import the libraries that the well needs, plus the well. The limit is 4 times that.

The second part runs a pipeline three times with two workers. Its function uses a model that takes two seconds to load:
it may be loaded twice, once per worker.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import figures
from figures import Figure, Report, Side

from openhcs_runtime import make_plate

FLOOR = "import rich, zmq"
LIBRARIES = "import zmq, tifffile, imagecodecs, pyarrow.parquet; from skimage.segmentation import watershed"
COMMAND = (sys.executable, "-m", "openhcs_runtime.cli")
RUNS = 3
FIRST_RUNS = 3
WORKERS = 2
PIPELINE = """
import os
import time
from openhcs_runtime import FunctionStep, GlobalConfig, model

@model(size="1 MB")
def load_net():
    with open({log!r}, "a") as file:
        print(os.getpid(), file=file)
    time.sleep({seconds})
    return object()

def use(stack):
    load_net()
    return stack

pipeline_steps = [FunctionStep(use)]
global_config = GlobalConfig(num_workers={workers})
"""


def main() -> int:
    """Report both; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=10, help="how often a run is measured [default: 10]")
    parser.add_argument("--size", type=int, default=512, help="width of the image [default: 512]")
    parser.add_argument("--load-seconds", type=float, default=2.0, help="time to load the model [default: 2]")
    with (
        figures.report(parser) as (options, report),
        tempfile.TemporaryDirectory(prefix="wr") as folder,
        own_server(Path(folder)),
    ):
        tell_run(report, Path(folder), options.rounds, options.size)
        tell_models(report, Path(folder), options.load_seconds)
    return int(report.missed > 0)


@contextmanager
def own_server(folder: Path) -> Iterator[None]:
    """Use a home folder of this script's own, and stop the server that the first run starts there."""
    os.environ["HOME"] = str(folder)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    try:
        yield
    finally:
        subprocess.run([*COMMAND, "stop"], check=False, capture_output=True)


def tell_run(report: Report, folder: Path, rounds: int, size: int) -> None:
    """Report the time of a run of one well, and that of its floor."""
    plate = make_plate(folder / "plate", wells=1, sites=1, channels=1, size=size)
    bare, wells, whole = [], [], []
    tell_first_run(report, plate, FIRST_RUNS)
    for _ in range(rounds + 2):  # the first ones load what the others find loaded
        bare.append(seconds_of([sys.executable, "-c", FLOOR])[0])
        seconds, result = seconds_of([*COMMAND, "run", str(plate), "--fresh", "--json"])
        whole.append(seconds)
        wells.append(float(json.loads(result)["result"]["wells"][0]["elapsed_s"]))
    floors = [one + well for one, well in zip(bare, wells, strict=True)][2:]
    name = f"run of one well of {size} pixels on a warm server"
    median, well = statistics.median(whole[2:]), statistics.median(wells[2:])
    report.tell(Figure(name, median, "s"))
    by = f"python -c '{FLOOR}' and the well"
    note = f"{statistics.median(bare[2:]):.3f} s and {well:.3f} s"
    report.tell(Figure(name, statistics.median(floors), "s", Side.FLOOR, by, bar=1 / 3, note=note))


def tell_first_run(report: Report, plate: Path, rounds: int) -> None:
    """Report the time of a run that starts the server, and that of its floor."""
    bare, wells, whole = [], [], []
    for _ in range(rounds + 1):
        subprocess.run([*COMMAND, "stop"], check=False, capture_output=True)
        bare.append(seconds_of([sys.executable, "-c", LIBRARIES])[0])
        seconds, result = seconds_of([*COMMAND, "run", str(plate), "--fresh", "--json"])
        whole.append(seconds)
        wells.append(float(json.loads(result)["result"]["wells"][0]["elapsed_s"]))
    name, by = "run of one well with the start of the server", f"python -c '{LIBRARIES}' and the well"
    floor = statistics.median(bare[1:]) + statistics.median(wells[1:])
    report.tell(Figure(name, statistics.median(whole[1:]), "s"))
    report.tell(Figure(name, floor, "s", Side.FLOOR, by, bar=1 / 4))


def tell_models(report: Report, folder: Path, seconds: float) -> None:
    """Report how often a model is loaded in several runs, and how long the later ones take."""
    plate = make_plate(folder / "wells", wells=4, sites=1, channels=1, size=64)
    log, pipeline = folder / "loads", folder / "pipeline.py"
    pipeline.write_text(PIPELINE.format(log=str(log), seconds=seconds, workers=WORKERS), encoding="utf-8")
    command = [*COMMAND, "run", str(plate), "--pipeline", str(pipeline), "--fresh", "--json"]
    times = [seconds_of(command)[0] for _ in range(RUNS)]
    what = f"loads of a model in {RUNS} runs with {WORKERS} workers"
    report.tell(Figure(what, len(log.read_text().split()), "", bar=WORKERS))
    report.tell(Figure(f"run with a model that takes {seconds:g} s to load", times[0], "s", note="the first"))
    report.tell(Figure("run with a model that is loaded", statistics.median(times[1:]), "s"))


def seconds_of(command: list[str]) -> tuple[float, str]:
    """Run a command; return how long it took, and what it printed."""
    begin = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - begin, done.stdout


if __name__ == "__main__":
    sys.exit(main())
