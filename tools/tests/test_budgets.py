"""The tables of where the time goes: what strace, py-spy and the interpreter print is read right."""

from pathlib import Path
from types import ModuleType

import pytest

BUDGETS = Path(__file__).resolve().parents[1] / "budgets"
STRACE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000600           3       200        10 poll
 40.00    0.000400           1       400           getpid
------ ----------- ----------- --------- --------- ----------------
100.00    0.001000           2       600        10 total
"""


@pytest.fixture(autouse=True)
def _budgets_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BUDGETS))


@pytest.fixture
def samples() -> ModuleType:
    import samples

    return samples


def test_system_calls_are_read_for_one_of_many() -> None:
    import system_calls

    assert system_calls._parsed(STRACE, 100) == {"getpid": 4, "poll": 2}


def test_samples_count_for_the_innermost_function_of_ours(samples: ModuleType) -> None:
    profile = samples.Profile()
    ours = "Loop._turn (/a/site-packages/zmqruntime/loop.py:10)"
    profile.add(f"<module> (/b/run.py:1);{ours};poll (/a/zmq/sugar/poll.py:106) 30")
    profile.add("<module> (/b/run.py:1);Store._write (/c/src/zmqruntime/execution/server/store.py:5) 60")
    profile.add("run (/b/threading.py:1) 10")
    assert profile.largest(2) == [
        ("zmqruntime.execution.server.store.Store._write", 60),
        ("zmqruntime.loop.Loop._turn", 30),
    ]
    assert profile.inner["(other libraries)"] == 10


def test_the_cost_of_an_import_is_that_of_its_packages() -> None:
    import imports

    cost = imports.import_cost("json", rounds=1)
    assert "json" in dict(cost.packages)
    assert cost.milliseconds >= sum(own for _, own in cost.packages) > 0


def test_a_table_is_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    import sheet

    sheet.tell_table("Title", ("name", "ms"), [("a|b", 1234.5), ("c", 0.1234)])
    title, _, *table = capsys.readouterr().out.strip().splitlines()
    assert title.startswith("### Title")
    assert table == ["| name | ms |", "|--|--|", r"| a\|b | 1,234 |", "| c | 0.123 |"]
