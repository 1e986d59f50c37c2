"""Count what a run of nox found: tests from JUnit reports, one check for each session that is not pytest."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Counts:
    """How many checks passed, failed and were skipped, and the names of those that failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: tuple[str, ...] = ()

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.failures + other.failures,
        )

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


@dataclass(frozen=True, slots=True)
class Session:
    """What one nox session did."""

    name: str
    result: str
    """As nox says it: success, failed, aborted or skipped."""
    seconds: float
    counts: Counts


def read_run(report: Path, junit_folder: Path) -> list[Session]:
    """The sessions of nox's JSON ``report``, with the tests that each left in ``junit_folder``."""
    entries = json.loads(report.read_text(encoding="utf-8"))["sessions"]
    return [_read_session(entry, junit_folder) for entry in entries]


def _read_session(entry: dict[str, object], junit_folder: Path) -> Session:
    signatures = entry["signatures"]
    name = signatures[0] if isinstance(signatures, list) and signatures else entry["name"]
    junit = junit_folder / f"{name}.xml"
    counts = _read_junit(junit, str(name)) if junit.is_file() else Counts()
    result = str(entry["result"])
    if result == "skipped":
        counts += Counts(skipped=1)
    elif result != "success" and not counts.failed:  # pytest itself, or an installation, failed
        counts += Counts(failed=1, failures=(f"{name}: {entry.get('reason') or 'see above'}",))
    elif result == "success" and not junit.is_file():
        counts += Counts(passed=1)
    return Session(str(name), result, float(str(entry["duration"])), counts)


def _read_junit(path: Path, session: str) -> Counts:
    counts = Counts()
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            counts += Counts(failed=1, failures=(f"{session}: {case.get('classname')}::{case.get('name')}",))
        elif "skipped" in outcomes:
            counts += Counts(skipped=1)
        else:
            counts += Counts(passed=1)
    return counts
