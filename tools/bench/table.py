"""Run the benchmarks and print one table: this project, the bare operation, and other libraries.

    python tools/bench/table.py [SCRIPT ...] [--quick] [--json FILE] [--store]

SCRIPT is the name of a file next to this one, such as `streaming` [default: all that report figures]. `--quick` takes
few samples for a first impression; its figures are noisy and not conclusive. `--store` saves the run in
docs/benchmarks.json, and generates docs/benchmarks.md, docs/images/benchmarks.svg and the table of the README from it;
`--draw` only generates them. The exit code is 1 if a limit is missed, 2 if a script failed.
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
FIRST = ("server_start", "warm_run", "execution_rates", "streaming", "engine_overhead", "engine_resume", "engine_scale")
QUICK = MappingProxyType(
    {
        "server_start": ("--rounds=3",),
        "warm_run": ("--rounds=3", "--load-seconds=0.5"),
        "execution_rates": (
            "--repeat=100",
            "--batch=2000",
            "--events=20000",
            "--growth-events=50000",
            "--idle=5",
        ),
        "history": (
            *("--executions=500", "--old=5000", "--kept=1000", "--followers=20", "--events=2000"),
            "--many-events=50000",
        ),
        "streaming": ("--images=60", "--rounds=3", "--stopped-seconds=3", "--camera-seconds=2"),
        "engine_overhead": ("--wells=8", "--repeat=2"),
        "engine_resume": ("--rounds=2", "--wells=24"),
        "engine_scale": ("cancel",),
        "short_tasks": ("--count=1000", "--peer-count=100", "--rounds=1"),
        "gpu_slots": ("--wells=24", "--modes=processes"),
        "tables": ("--objects=20000", "--wells=10"),
        "gui": ("start", "plates"),
        "gui_logs": ("--lines=50000",),
        "numbers_pane": ("--rows=50000",),
        "viewers_napari": ("--planes=100",),
    }
)
"""The arguments that make a script short; other scripts are not part of a quick run."""
NEEDS = MappingProxyType(
    {
        "functions": "cp_measure",
        "gui": "PyQt6",
        "gui_logs": "PyQt6",
        "numbers_pane": "PyQt6",
        "viewers_napari": "napari",
        "viewers_view": "napari",
        "viewers_fiji": "jpype",
    }
)
"""Packages that a script needs; it is skipped where they are not installed."""
SCREEN = "viewers_"
"""Scripts with this prefix need a screen."""
VERSIONS = (
    *("zmqruntime-core", "openhcs-runtime", "pyzmq", "msgspec", "numpy", "scipy", "scikit-image", "tifffile"),
    *("opencv-python-headless", "edt", "cp_measure", "laptrack"),
    *("ipyparallel", "distributed", "huey", "imagezmq", "napari", "PyQt6"),
)
MISSED, BROKEN = 1, 2


def main() -> int:
    """Run, print and store; return the exit code."""
    options = _parser().parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background processes of a shell ignore Ctrl-C
    if options.draw:
        chart.draw(read(STORED))
        return 0
    if options.store and (options.quick or options.scripts):
        raise SystemExit("only a complete run can be stored: omit --quick and script names")
    chosen = options.scripts or [name for name in scripts() if name in QUICK or not options.quick]
    for name in [name for name in chosen if not can_run(name)]:
        print(f"skipped: {name}, which needs {NEEDS[name]}{' and a screen' * name.startswith(SCREEN)}")
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
    """Return the names of the benchmarks that report figures, those of lower packages first."""
    found = [path.stem for path in sorted(HERE.glob("*.py")) if "figures.report(" in path.read_text(encoding="utf-8")]
    others = [name for name in found if name not in (*FIRST, "figures", "table")]
    return [name for name in FIRST if name in found] + others


def can_run(name: str) -> bool:
    """Return whether everything that the script needs is available."""
    if importlib.util.find_spec(NEEDS.get(name, "sys")) is None:
        return False
    return not name.startswith(SCREEN) or "DISPLAY" in os.environ or shutil.which("xvfb-run") is not None


def measure(names: Sequence[str], quick: bool) -> Run:
    """Run the scripts one by one."""
    begin = datetime.now(UTC)
    machine = machine_here()
    parts = [measure_one(name, QUICK.get(name, ()) if quick else ()) for name in names]
    return Run(date=f"{begin:%Y-%m-%d}", quick=quick, machine=machine, versions=versions_here(), parts=parts)


def measure_one(name: str, arguments: Sequence[str]) -> Part:
    """Run one script, which prints its figures as they are measured."""
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
    """Return a description of this machine and its load at the start."""
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
    """Return the versions of the measured libraries."""
    versions = {}
    for name in VERSIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def table(run: Run) -> str:
    """Return all figures in columns, with ours next to the references."""
    lines = [f"{'measurement':66} {'result':>14}  {'reference':52} {'limit':14}"]
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
    """Return the ratio of ours to this figure."""
    ours = figures.ours_beside(figure, among)
    return "" if ours is None else f"{figures.number(figures.advantage(ours, figure))} x"


def machine_text(run: Run) -> str:
    """Return machine and versions in two lines."""
    machine = run.machine
    where = f"{machine.processor}, {machine.cores} cores, {machine.memory_gb} GB, {machine.system}"
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    return f"{run.date}, {where}, load {machine.load} at the begin\nPython {machine.python}, {versions}"


def _first_line(source: str) -> str:
    return source.removeprefix('"""').splitlines()[0].removesuffix('"""')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", choices=[[], *scripts()], help=", ".join(scripts()))
    parser.add_argument("--quick", action="store_true", help="few samples, about three minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the run to this file")
    parser.add_argument("--store", action="store_true", help="store the run in docs/ and generate the page")
    parser.add_argument("--draw", action="store_true", help="only generate the page from the stored run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
