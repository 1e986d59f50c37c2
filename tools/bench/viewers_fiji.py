"""How many planes of 2048 x 2048 uint16 ImageJ displays per second, as acknowledged.

Measures new planes in a growing stack, repeated planes, and one visible plane that is updated. Needs ImageJ, Java and a
screen; if DISPLAY is not set, use xvfb-run.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time

import figures
import numpy as np
import numpy.typing as npt
import psutil
from figures import Figure, Report

from openhcs_runtime.viewers.fiji import FijiProcessManager
from zmqruntime.streaming import ImageStream, Policy

PORT = 5597
SIDE = 2048
BAR = 50


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planes", type=int, default=100, help="planes per rate [default: 100]")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of each rate, for the median [default: 3]")
    with figures.report(parser) as (options, report):
        run(report, options.planes, options.rounds)
    sys.exit(report.missed > 0)


def run(report: Report, planes: int, rounds: int) -> None:
    """Measure with a new viewer."""
    images = np.random.default_rng(0).integers(0, 2**16, (8, SIDE, SIDE), np.uint16)
    with tempfile.TemporaryDirectory(prefix="vf") as home:
        os.environ["HOME"] = home
        manager = FijiProcessManager(PORT, persistent=False)
        begin = time.perf_counter()
        viewer = psutil.Process(manager.start(timeout=60).pid)
        report.tell(Figure("Fiji: start of the viewer", time.perf_counter() - begin, "s"))
        try:
            with ImageStream(PORT, policy=Policy.ALL) as stream:
                stream.wait_connected()
                measure(report, stream, viewer, images, planes, rounds)
        finally:
            manager.stop()


def measure(
    report: Report,
    stream: ImageStream,
    viewer: psutil.Process,
    images: npt.NDArray[np.uint16],
    planes: int,
    rounds: int,
) -> None:
    """Measure every kind of plane, in turns."""
    rates: dict[str, list[float]] = {}
    send(stream, images, 8, "A01", is_still=True)
    for turn in range(rounds):
        for what, well, is_still in (
            ("new planes in a growing stack", f"B{turn + 1:02d}", False),
            ("repeated planes", f"B{turn + 1:02d}", False),
            ("updates of one visible plane", "A01", True),
        ):
            busy = sum(viewer.cpu_times()[:2])
            rate = send(stream, images, planes, well, is_still)
            busy = (sum(viewer.cpu_times()[:2]) - busy) / planes * 1e3
            rates.setdefault(what, []).append(rate)
            print(f"{what:36} {rate:7.1f} planes/s, {busy:5.1f} ms of processor time each", flush=True)
        stream.clear()
        send(stream, images, 8, "A01", is_still=True)
    for what, found in rates.items():
        name, note = f"Fiji, {SIDE} x {SIDE} uint16: {what}", f"{min(found):.0f} to {max(found):.0f}"
        report.tell(Figure(name, statistics.median(found), "1/s", bar=BAR, higher_is_better=True, note=note))


def send(stream: ImageStream, images: npt.NDArray[np.uint16], count: int, well: str, is_still: bool) -> float:
    """Return planes per second, each to its own site or all to one."""
    begin = time.perf_counter()
    for number in range(count):
        stream.send(
            images[number % len(images)],
            layer_name="DAPI",
            position={"well": well, "site": 1 if is_still else number + 1},
            metadata={"contrast_limits": [0, 65535]},
        )
    stream.settle(120)
    return count / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
