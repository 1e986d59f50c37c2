#!/usr/bin/env python3
"""Start here: two commands that need Python 3.11 or later and nothing else.

    python3 tools/start.py demo     a pipeline counts the nuclei of a small plate on a background server
    python3 tools/start.py tests    every check of the repository; the last line says how many passed

Each sets up what it needs in .venv of this checkout and says so; the second time it starts at once.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - people start it with whatever python3 they have
    sys.exit(
        f"Python 3.11 or later is needed, this is {sys.version_info[0]}.{sys.version_info[1]}; "
        "start it with a later one, as in: python3.12 tools/start.py demo"
    )

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import demo
import environment
import system_libraries
from children import end_on_signals, run
from environment import ROOT, SetupError, say
from tally import Counts, Session, read_run

SESSIONS = ("lint", "types", "boundaries", "docs", "wheels", "tests", "repository", "demo")
INTERRUPTED = 130
TIMED_OUT = 124
TESTS_SECONDS = 80 * 60  # far beyond what they take; whatever hangs then is shown and ended


def main() -> int:
    """Run the command that was asked for; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="demo | tests")
    commands.add_parser("demo", help="make a plate, run a pipeline over it, show where the results are")
    tests = commands.add_parser("tests", help="run the nox sessions and count what passed and failed")
    tests.add_argument(
        "session",
        nargs="*",
        help=f"only these sessions, such as 'tests(zmqruntime-core)'; default: {' '.join(SESSIONS)}",
    )
    arguments = parser.parse_args()
    end_on_signals()
    try:
        return run_demo() if arguments.command == "demo" else run_tests(arguments.session or SESSIONS)
    except SetupError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; what was set up so far is kept.", file=sys.stderr)
        return INTERRUPTED


def run_demo() -> int:
    """The demo, with the packages of this checkout; plate and results stay in build/demo until the next time."""
    environment.ensure()
    environment.install_packages()
    folder = ROOT / "build" / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return demo.show(folder, environment.PYTHON.parent)


def run_tests(sessions: list[str] | tuple[str, ...]) -> int:
    """Run the nox sessions; 0 if nothing failed."""
    say("Looking for the system libraries that the window tests need")
    system_libraries.install(system_libraries.missing_packages())
    environment.ensure()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "nox.json")
        env = {**os.environ, **environment.uv_settings(), "JUNIT_FOLDER": folder}
        nox = [str(environment.PYTHON), "-m", "nox", "--non-interactive", "--noxfile", str(ROOT / "noxfile.py")]
        nox += ["--report", str(report), "--session", *sessions]
        try:
            code = run(nox, env=env, cwd=ROOT, limit_seconds=TESTS_SECONDS)
        except subprocess.TimeoutExpired:
            ended = sorted(path.stem for path in Path(folder).glob("*.xml"))
            say(f"Ended after {TESTS_SECONDS // 60} min, as something hangs. Sessions of tests that had ended: {ended}")
            code = TIMED_OUT
        found = read_run(report, Path(folder)) if report.is_file() else []
    return summarise(found, code, time.monotonic() - started)


def summarise(sessions: list[Session], code: int, seconds: float) -> int:
    """Print a line for each session, what failed, and the totals as the very last line; the exit code."""
    total = sum((session.counts for session in sessions), Counts())
    if code != 0 and total.failed == 0:
        total += Counts(failed=1, failures=(f"nox ended with code {code}, see above",))
    print(f"\n{'session':32} {'result':8} {'seconds':>7}  checks")
    for session in sessions:
        print(f"{session.name:32} {session.result:8} {session.seconds:7.1f}  {session.counts}")
    print(f"{'all':32} {'':8} {seconds:7.1f}")
    for failure in total.failures:
        print(f"FAILED {failure}")
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
