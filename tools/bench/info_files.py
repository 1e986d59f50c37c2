"""Time and memory of opening a plate of many files, beside a loop over the same files.

    python tools/bench/info_files.py [--files 1000000] [--rounds 5]

Opens ImageXpress and Opera Phenix plates of 10,000 and 100,000 files (hard links to a few images), or of as many as
are asked for: processor time and memory a file. In turns with it: the loop that lists the folder, matches each name
with one regular expression and groups the files by well in a dict; and the same loop with the size of each file, which
`info` needs to find the files that differ from the others. The exit code is 1 if a limit is missed.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import figures
import numpy as np
import tifffile
from figures import Figure, Report, Side

from openhcs_runtime.plates import open_plate

LOOP, WITH_SIZES = 3.2, 1.5
"""How many times the loops may be as fast."""
BYTES = 150
MOST_LINKS = 50_000
FORMATS = {
    "imagexpress": ("p_{row}{column:02}_s{site}_w{channel}.tif", r"p_([A-Z]{1,2}\d\d)_s(\d+)_w(\d)\.tif"),
    "opera_phenix": (
        "r{number:02}c{column:02}f{site:02}p01-ch{channel}sk1fk1fl1.tiff",
        r"(r\d\dc\d\d)f(\d+)p01-ch(\d)sk1fk1fl1\.tiff",
    ),
}
PEAK = """
import sys
from openhcs_runtime.plates import open_plate
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024
open_plate(sys.argv[2])
before = peak()
plate = open_plate(sys.argv[1])
print(peak() - before)
"""


def main() -> int:
    """Measure each format with each number of files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, action="append", help="number of files [default: 10,000 and 100,000]")
    parser.add_argument("--rounds", type=int, default=5)
    with figures.report(parser) as (options, report):
        for name in FORMATS:
            with tempfile.TemporaryDirectory(prefix="if") as folder:
                few = linked_plate(Path(folder, "few"), name, 400)
                for files in options.files or (10_000, 100_000):
                    plate = linked_plate(Path(folder, str(files)), name, files)
                    measure(name, plate, few, options.rounds, report)
        print(f"load: {os.getloadavg()[0]:.1f}")
    return int(report.missed > 0)


def measure(name: str, plate: Path, few: Path, rounds: int, report: Report) -> None:
    """Measure one plate in turns with the loops."""
    expression = re.compile(FORMATS[name][1])
    files = sum(map(len, open_plate(plate).images.values()))
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: open_plate(plate),
        "loop": lambda: loop(plate, expression, sizes=False),
        "with sizes": lambda: loop(plate, expression, sizes=True),
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            took[way].append(microseconds(run, files))
    ours, bare, sized = (statistics.median(times) for times in took.values())
    is_many = files >= 100_000  # of fewer, what a plate costs whatever its size is seen
    title = f"open {name}, {files:,} files, CPU a file"
    report.tell(
        Figure(title, ours, "us"),
        Figure(title, bare, "us", Side.FLOOR, "scandir, one expression, dict", bar=1 / LOOP if is_many else None),
        Figure(title, sized, "us", Side.FLOOR, "the same with the size", bar=1 / WITH_SIZES if is_many else None),
    )
    told = subprocess.run([sys.executable, "-c", PEAK, plate, few], check=True, capture_output=True, text=True)
    report.tell(
        Figure(f"memory of {name}, {files:,} files", int(told.stdout) / files, "B", bar=BYTES if is_many else None)
    )


def microseconds(run: Callable[[], object], files: int) -> float:
    """Return the processor time for a file."""
    started = time.process_time()
    run()
    return (time.process_time() - started) / files * 1e6


def loop(plate: Path, expression: re.Pattern[str], *, sizes: bool) -> dict[str, list[tuple[object, ...]]]:
    """List the files by well."""
    wells: dict[str, list[tuple[object, ...]]] = {}
    for entry in os.scandir(plate / "Images" if (plate / "Images").exists() else plate):
        if match := expression.fullmatch(entry.name):
            found = (match[2], match[3], entry.name, entry.stat().st_size if sizes else 0)
            wells.setdefault(match[1], []).append(found)
    return wells


def linked_plate(folder: Path, name: str, files: int) -> Path:
    """Make a plate of 1,536 wells and 4 channels whose files are links to a few images."""
    images = folder / "Images" if name == "opera_phenix" else folder
    images.mkdir(parents=True)
    rows = [prefix + chr(65 + row) for prefix, count in (("", 26), ("A", 6)) for row in range(count)]
    at = os.open(images, os.O_RDONLY)
    image = Path()
    for made in range(files):
        if made % MOST_LINKS == 0:
            image = folder.parent / f"{folder.name}-{made}.dat"
            tifffile.imwrite(image, np.arange(64, dtype=np.uint16).reshape(8, 8))
        rest, well = divmod(made, 1536)
        site, channel = divmod(rest, 4)
        row, column = divmod(well, 48)
        parts = {"row": rows[row], "number": row + 1, "column": column + 1, "site": site + 1, "channel": channel + 1}
        os.link(image, FORMATS[name][0].format(**parts), dst_dir_fd=at)
    os.close(at)
    return folder


if __name__ == "__main__":
    sys.exit(main())
