"""How many planes a second ImageJ takes, of 2048 x 2048 uint16, acknowledged as displayed.

Planes that are new, in a stack that grows; planes that come again; and one that is always in view. It needs ImageJ,
Java and a screen: where DISPLAY is not set, run it with xvfb-run.
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
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planes", type=int, default=100, help="planes that a rate is taken of (100)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured; the median counts (3)")
    with figures.report(parser) as (options, report):
        run(report, options.planes, options.rounds)
    sys.exit(report.missed > 0)


def run(report: Report, planes: int, rounds: int) -> None:
    """With a viewer of our own."""
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
    """Every kind of plane, in turns."""
    rates: dict[str, list[float]] = {}
    send(stream, images, 8, "A01", is_still=True)
    for turn in range(rounds):
        for what, well, is_still in (
            ("new planes, the stack grows", f"B{turn + 1:02d}", False),
            ("planes that come again", f"B{turn + 1:02d}", False),
            ("one plane in view, again and again", "A01", True),
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
    """Planes a second, to as many sites or all to one."""
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
