"""Runs the benchmarks and puts their figures into one table: ours, the floor of the machine, and other libraries.

    python tools/bench/table.py [SCRIPT ...] [--quick] [--json FILE] [--store]

SCRIPT is the name of a file beside this one, such as `streaming`; all that hand over figures when none is named.
`--quick` takes few of everything, for a look: its figures wobble, and are no proof of anything. `--store` keeps the run
in docs/benchmarks.json, and writes docs/benchmarks.md, docs/images/benchmarks.svg and the table of the README from it;
`--draw` only does the latter. The exit code is 1 when a bar is missed, 2 when a script has failed.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import chart
import figures
import psutil
from figures import Figure, Side
from runs import STORED, Machine, Part, Run, read, write

HERE = Path(__file__).resolve().parent
FIRST = ("server_start", "execution_rates", "streaming", "engine_overhead", "engine_resume", "engine_scale")
QUICK = MappingProxyType(
    {
        "server_start": ("--rounds=3",),
        "execution_rates": (
            "--repeat=100",
            "--batch=2000",
            "--events=20000",
            "--growth-events=50000",
            "--idle=5",
        ),
        "streaming": ("--images=60", "--rounds=3", "--stopped-seconds=3"),
        "engine_overhead": ("--wells=8", "--repeat=2"),
        "engine_resume": ("--rounds=2", "--wells=24"),
        "engine_scale": ("cancel",),
        "gui": ("start", "plates"),
        "gui_logs": ("--lines=50000",),
        "viewers_napari": ("--planes=100",),
    }
)
"""What makes a script short; those that are not here are left out of a quick run."""
NEEDS = MappingProxyType({"gui": "PyQt6", "gui_logs": "PyQt6", "viewers_napari": "napari", "viewers_fiji": "jpype"})
"""What a script cannot do without; it is left out where that is not installed."""
SCREEN = "viewers_"
"""Scripts that begin like this need a screen."""
VERSIONS = (
    *("zmqruntime-core", "openhcs-runtime", "pyzmq", "msgspec", "numpy", "scikit-image", "tifffile"),
    *("ipyparallel", "distributed", "imagezmq", "napari", "PyQt6"),
)
MISSED, BROKEN = 1, 2


def main() -> int:
    """Run, print, keep; gives the exit code."""
    options = _parser().parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts behind it ignore Ctrl-C
    if options.draw:
        chart.draw(read(STORED))
        return 0
    if options.store and (options.quick or options.scripts):
        raise SystemExit("what is stored is a whole run: leave out --quick and the names of scripts")
    chosen = options.scripts or [name for name in scripts() if name in QUICK or not options.quick]
    for name in [name for name in chosen if not can_run(name)]:
        print(f"left out: {name}, which needs {NEEDS[name]}{' and a screen' * name.startswith(SCREEN)}")
    run = measure([name for name in chosen if can_run(name)], options.quick)
    print(f"\n{table(run)}")
    if options.json is not None:
        write(run, options.json)
    if options.store:
        write(run, STORED)
        chart.draw(run)
    if any(part.failure for part in run.parts):
        return BROKEN
    return (
        MISSED if any(figures.is_missed(figure, part.figures) for part in run.parts for figure in part.figures) else 0
    )


def scripts() -> list[str]:
    """The names of the benchmarks that hand over figures, those of the lower packages first."""
    found = [path.stem for path in sorted(HERE.glob("*.py")) if "figures.report(" in path.read_text(encoding="utf-8")]
    others = [name for name in found if name not in (*FIRST, "figures", "table")]
    return [name for name in FIRST if name in found] + others


def can_run(name: str) -> bool:
    """Whether all that the script needs is here."""
    if importlib.util.find_spec(NEEDS.get(name, "sys")) is None:
        return False
    return not name.startswith(SCREEN) or "DISPLAY" in os.environ or shutil.which("xvfb-run") is not None


def measure(names: Sequence[str], quick: bool) -> Run:
    """Run the scripts one after the other."""
    begin = datetime.now(UTC)
    machine = machine_here()
    parts = [measure_one(name, QUICK.get(name, ()) if quick else ()) for name in names]
    return Run(date=f"{begin:%Y-%m-%d}", quick=quick, machine=machine, versions=versions_here(), parts=parts)


def measure_one(name: str, arguments: Sequence[str]) -> Part:
    """Run one script, which prints its figures as they come."""
    print(f"\n--- {' '.join((name, *arguments))}", flush=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        screen = ["xvfb-run", "--auto-servernum"] if name.startswith(SCREEN) and "DISPLAY" not in os.environ else []
        command = [*screen, sys.executable, str(HERE / f"{name}.py"), *arguments, "--json", str(file)]
        code = subprocess.run(command, check=False).returncode
        found = figures.read(file) if file.is_file() else []
    seconds = time.monotonic() - begin
    failure = "" if found and code in (0, MISSED) else f"exit code {code}, {len(found)} figures"
    print(f"--- {seconds:.0f} s{f', FAILED: {failure}' if failure else ''}", flush=True)
    doc = _first_line((HERE / f"{name}.py").read_text(encoding="utf-8"))
    return Part(script=name, what=doc, seconds=round(seconds, 1), figures=found, failure=failure)


def machine_here() -> Machine:
    """What this machine is, and how busy at the begin."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if sys.platform == "linux" else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return Machine(
        processor=models[0] if models else platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 2**30),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0,
    )


def versions_here() -> dict[str, str]:
    """What is installed of what is measured."""
    versions = {}
    for name in VERSIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def table(run: Run) -> str:
    """All figures in columns, ours beside the others."""
    lines = [f"{'what':66} {'ours':>14}  {'beside':52} {'bar':14}"]
    for part in run.parts:
        lines += ["", f"{part.what}" + (f"  FAILED: {part.failure}" if part.failure else "")]
        for figure in part.figures:
            value = f"{figures.number(figure.value)} {figure.unit}"
            bar = figures.bar_text(figure, part.figures)
            if figure.side is Side.OURS:
                lines.append(f"{figure.name:66} {value:>14}  {'':52} {bar}".rstrip())
            else:
                beside = f"{figure.by} {value}"
                lines.append(f"{'':66} {ratio(figure, part.figures):>14}  {beside:52} {bar}".rstrip())
    return "\n".join([*lines, "", machine_text(run)])


def ratio(figure: Figure, among: Sequence[Figure]) -> str:
    """How many times as good ours is as this one."""
    ours = figures.ours_beside(figure, among)
    return "" if ours is None else f"{figures.number(figures.advantage(ours, figure))} x"


def machine_text(run: Run) -> str:
    """Where and with what, in two lines."""
    machine = run.machine
    where = f"{machine.processor}, {machine.cores} cores, {machine.memory_gb} GB, {machine.system}"
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    return f"{run.date}, {where}, load {machine.load} at the begin\nPython {machine.python}, {versions}"


def _first_line(source: str) -> str:
    return source.removeprefix('"""').splitlines()[0].removesuffix('"""')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", choices=[[], *scripts()], help=", ".join(scripts()))
    parser.add_argument("--quick", action="store_true", help="few of everything, about three minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the run to this file")
    parser.add_argument("--store", action="store_true", help="keep the run in docs/, and draw it")
    parser.add_argument("--draw", action="store_true", help="only draw the stored run again")
    return parser


if __name__ == "__main__":
    sys.exit(main())
