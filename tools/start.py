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
from collections.abc import Sequence
from pathlib import Path

import demo
import environment
import system_libraries
from children import aside, end_on_signals, run
from environment import ROOT, SetupError, say
from tally import Counts, Session, read_run

FIRST = ("lint", "wheels", "boundaries")
ASIDE = ("types", "docs")  # each keeps one core busy, while tests wait most of their time
LAST = ("tests", "repository", "demo")
SESSIONS = (*FIRST, *ASIDE, *LAST)
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
        nox = NoxRun(Path(folder))
        try:
            codes = nox.sessions(sessions)
        except subprocess.TimeoutExpired:
            ended = sorted(path.stem for path in Path(folder).glob("*.xml"))
            say(f"Ended after {TESTS_SECONDS // 60} min, as something hangs. Sessions of tests that had ended: {ended}")
            codes = [TIMED_OUT]
        found = nox.found()
    return summarise(found, next(filter(None, codes), 0), time.monotonic() - started)


class NoxRun:
    """The nox sessions of one run: first those that are short, then the tests, and types and documentation aside.

    Args:
        folder: where reports go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._env = {**os.environ, **environment.uv_settings(), "JUNIT_FOLDER": str(folder)}
        self._reports: list[Path] = []

    def sessions(self, names: Sequence[str]) -> list[int]:
        """Run these sessions; the exit codes of nox."""
        first = [name for name in names if name in FIRST]
        meanwhile = [name for name in names if name in ASIDE]
        rest = [name for name in names if name not in (*FIRST, *ASIDE)]
        codes = [self._run(first)] if first else []
        if "wheels" in first and codes == [0]:
            self._env["WHEELS_MADE"] = "1"
        if not rest:
            return codes + ([self._run(meanwhile)] if meanwhile else [])
        if not meanwhile:
            return [*codes, self._run(rest)]
        output = self._folder / "aside.txt"
        with aside(self._nox(meanwhile), output, env=self._env, cwd=ROOT) as other:
            codes += [self._run(rest), other.wait(TESTS_SECONDS)]
        print(output.read_text(encoding="utf-8", errors="replace"), flush=True)
        return codes

    def found(self) -> list[Session]:
        """What the sessions found; one that several runs needed counts once."""
        entries = [each for report in self._reports if report.is_file() for each in read_run(report, self._folder)]
        return list({entry.name: entry for entry in reversed(entries)}.values())[::-1]

    def _run(self, names: Sequence[str]) -> int:
        return run(self._nox(names), env=self._env, cwd=ROOT, limit_seconds=TESTS_SECONDS)

    def _nox(self, names: Sequence[str]) -> list[str]:
        report = self._folder / f"nox{len(self._reports)}.json"
        self._reports.append(report)
        nox = [str(environment.PYTHON), "-m", "nox", "--non-interactive", "--noxfile", str(ROOT / "noxfile.py")]
        return [*nox, "--report", str(report), "--session", *names]


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
