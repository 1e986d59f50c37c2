"""Nuclei found and measured by CellProfiler and by this project: CPU milliseconds of an image, in turns.

CellProfiler has an environment of its own; ``nox -s cellprofiler`` makes it and calls this.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import figures  # noqa: E402
from figures import Figure, Side  # noqa: E402

from openhcs_runtime import make_plate  # noqa: E402

SINGLE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Measured(msgspec.Struct, frozen=True):
    """What a program prints: CPU milliseconds of an image by step, nuclei in all images."""

    steps: dict[str, float]
    nuclei: int


def main() -> int:
    """Measure both; return 1 if ours is not ahead."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", help="Python of an environment with CellProfiler")
    parser.add_argument("--images", type=int, default=8, help="how many [default: 8]")
    parser.add_argument("--size", type=int, default=1024, help="width and height in pixels [default: 1024]")
    parser.add_argument("--rounds", type=int, default=3, help="turns [default: 3]")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory() as folder:
        plate = make_plate(Path(folder, "plate"), wells=1, sites=options.images, channels=1, size=options.size, seed=1)
        programs = {"measure.py": options.python, "ours.py": sys.executable}
        rounds = [
            {name: result(python, name, plate) for name, python in programs.items()} for _ in range(options.rounds)
        ]
        theirs, ours = (median([taken[name] for taken in rounds]) for name in programs)
        name = f"nuclei found and measured, {options.size} x {options.size}"
        note = "identify, intensity, size and shape; default settings"
        report.tell(
            Figure(name, ours, "ms CPU", note=f"{rounds[0]['ours.py'].nuclei} nuclei"),
            Figure(
                name,
                theirs,
                "ms CPU",
                Side.PEER,
                "CellProfiler 4.2.8",
                bar=2,
                note=f"{rounds[0]['measure.py'].nuclei} nuclei; {note}",
            ),
        )
    return int(report.missed > 0)


def result(python: str, program: str, plate: Path) -> Measured:
    """Return what one of the two programs prints."""
    command = [python, str(HERE / program), str(plate)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **SINGLE}).stdout
    return msgspec.json.decode(printed.splitlines()[-1], type=Measured)


def median(results: list[Measured]) -> float:
    """Return the median over the rounds of the sum over the steps."""
    return statistics.median(sum(found.steps.values()) for found in results)


if __name__ == "__main__":
    sys.exit(main())
