"""The counts of the last line."""

import json
from pathlib import Path

import pytest
from tally import Counts, read_run

JUNIT = """<?xml version="1.0"?><testsuites><testsuite>
<testcase classname="a.b" name="one"/>
<testcase classname="a.b" name="two"><failure message="no">trace</failure></testcase>
<testcase classname="a.b" name="three"><error message="no">trace</error></testcase>
<testcase classname="a.b" name="four"><skipped message="why"/></testcase>
</testsuite></testsuites>"""


def entry(name: str, result: str, signatures: list[str] | None = None) -> dict[str, object]:
    return {"name": name, "result": result, "signatures": signatures or [name], "duration": 1.5, "reason": None}


def counts(folder: Path, *entries: dict[str, object]) -> Counts:
    report = folder / "nox.json"
    report.write_text(json.dumps({"result": 1, "sessions": entries}), encoding="utf-8")
    return sum((session.counts for session in read_run(report, folder)), Counts())


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("success", "1 passed, 0 failed"),
        ("failed", "0 passed, 1 failed"),
        ("aborted", "0 passed, 1 failed"),
        ("skipped", "0 passed, 0 failed, 1 skipped"),
    ],
)
def test_a_session_without_tests_is_one_check(tmp_path: Path, result: str, expected: str) -> None:
    assert str(counts(tmp_path, entry("lint", result))) == expected


def test_the_tests_of_a_session_are_counted_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "tests(core).xml").write_text(JUNIT, encoding="utf-8")
    found = counts(tmp_path, entry("tests", "failed", ["tests(core)"]))
    assert str(found) == "1 passed, 2 failed, 1 skipped"
    assert found.failures == ("tests(core): a.b::two", "tests(core): a.b::three")


def test_a_session_that_failed_with_all_tests_green_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "tests_all.xml").write_text(JUNIT.replace("failure", "system-out").replace("error", "system-err"))
    assert str(counts(tmp_path, entry("tests_all", "failed"))) == "3 passed, 1 failed, 1 skipped"


def test_sessions_add_up(tmp_path: Path) -> None:
    assert str(counts(tmp_path, entry("lint", "success"), entry("types", "failed"))) == "1 passed, 1 failed"
