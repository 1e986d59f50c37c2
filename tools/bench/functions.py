"""Functions of the library next to the fastest function of another library that does the same job, by processor time.

    python tools/bench/functions.py [--sizes 1024,2048] [--rounds 5] [--only TEXT]

Each function gets one image, or the planes or labels that it needs, of simulated nuclei. Ours and the peers take turns;
the figures are medians of the processor time of all threads, in ms. Results that should agree are compared first, and a
difference is a failure. The bar of a peer is half its speed. Functions without a peer have a note.
"""

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import figures
import psutil
from figures import Figure, Report, Side
from function_case import Case
from function_images import Images, images_of
from threadpoolctl import threadpool_limits

HALF = 0.5
SLOW_SECONDS = 2.0
"""A peer that takes longer is timed once."""


def main() -> int:
    """Measure, and return 1 if a function is slower than half the speed of its peer."""
    from function_cases import cases  # noqa: PLC0415  needs all peers

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1024,2048", help="edge lengths of the images [default: 1024,2048]")
    parser.add_argument("--rounds", type=int, default=5, help="turns of which the medians are taken [default: 5]")
    parser.add_argument("--only", default="", help="only the functions with this text in their names")
    warnings.simplefilter("ignore")  # of peers, about divisions by zero
    with figures.report(parser) as (options, report), threadpool_limits(1):
        for size in map(int, options.sizes.split(",")):
            images = images_of(size)
            print(f"{size} x {size}, {images.count} nuclei; load {psutil.getloadavg()[0]:.1f}", flush=True)
            for case in cases(images):
                if options.only in case.name:
                    measure(case, images, options.rounds, report)
        print(f"load {psutil.getloadavg()[0]:.1f}")
    return int(report.missed > 0)


def measure(case: Case, images: Images, rounds: int, report: Report) -> None:
    """Compare the results of ours and its peers, then time them in turns."""
    found = case.run()
    runs = [case.run]
    for peer in case.peers:
        begin = time.process_time()
        other = peer.run()
        if peer.agrees is not None and not peer.agrees(found, other):
            raise AssertionError(f"{case.name}: the result is not that of {peer.by}")
        runs.append(peer.run)
        if time.process_time() - begin > SLOW_SECONDS:
            rounds = 1
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, taken in zip(runs, times, strict=True):
            taken.append(milliseconds(run))
    ours, *others = (statistics.median(taken) for taken in times)
    name = f"{case.name}, {images.size} px"
    report.tell(Figure(name, ours, "ms", note=case.note))
    for peer, value in zip(case.peers, others, strict=True):
        bar = HALF if peer.is_fair else None
        report.tell(Figure(name, value, "ms", Side.PEER, peer.by, bar=bar, note=peer.note))


def milliseconds(run: Callable[[], Any]) -> float:
    """Return the processor time that a function takes."""
    begin = time.process_time()
    run()
    return (time.process_time() - begin) * 1e3


if __name__ == "__main__":
    sys.exit(main())
