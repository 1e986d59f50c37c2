"""What the benchmarks hand over, how it is judged, kept, drawn and compared; nothing is measured here."""

import argparse
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from openhcs_runtime import functions

BENCH = Path(__file__).resolve().parents[1] / "bench"


@pytest.fixture(autouse=True)
def _bench_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


@pytest.fixture
def figures() -> ModuleType:
    import figures

    return figures


def some(figures: ModuleType, ours: float = 2.0, peer: float = 10.0) -> list[Any]:
    return [
        figures.Figure("task", ours, "ms", bar=3),
        figures.Figure("task", 1.0, "ms", figures.Side.FLOOR, "one write", bar=1 / 4),
        figures.Figure("task", peer, "ms", figures.Side.PEER, "another <library>", bar=4, note="not durable"),
        figures.Figure("rate", 500, "/s", bar=400, higher_is_better=True),
        figures.Figure("rate", 100, "/s", figures.Side.PEER, "slow", bar=10, higher_is_better=True),
    ]


def run_of(found: list[Any]) -> Any:
    import runs

    machine = runs.Machine(processor="p", cores=2, memory_gb=4, system="Linux 6", python="3.11.7", load=0.5)
    part = runs.Part(script="execution_rates", what="How fast.", seconds=1.0, figures=found)
    return runs.Run(date="2030-01-31", quick=False, machine=machine, versions={"numpy": "2"}, parts=[part])


def test_bars_of_ours_are_values_and_those_of_others_are_ratios(figures: ModuleType) -> None:
    found = some(figures)
    missed = [figures.is_missed(figure, found) for figure in found]
    assert missed == [False, False, False, False, True]
    assert figures.advantage(found[0], found[2]) == pytest.approx(5)
    assert figures.advantage(found[3], found[4]) == pytest.approx(5)
    assert figures.bar_text(found[1], found) == "at least 0.25 x, met"
    assert figures.bar_text(found[0], found) == "at most 3 ms, met"


def test_what_is_told_is_printed_and_written_even_if_the_script_fails(
    figures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    monkeypatch.setattr("sys.argv", ["bench", "--json", str(file)])

    def fail_half_way() -> None:
        with figures.report(argparse.ArgumentParser()) as (_, report):
            report.tell(*some(figures))
            raise RuntimeError("half")

    with pytest.raises(SystemExit) as ended:
        fail_half_way()
    assert ended.value.code == figures.FAILED
    assert figures.read(file) == some(figures)
    printed = capsys.readouterr().out.splitlines()
    assert "ratio 5.00 x; at least 4 x, met; not durable" in printed[2]


def test_a_run_is_kept_drawn_and_put_on_a_page(
    figures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import chart
    import runs

    run = run_of(some(figures))
    runs.write(run, tmp_path / "docs" / "run.json")
    assert runs.read(tmp_path / "docs" / "run.json") == run
    (tmp_path / "images").mkdir()
    monkeypatch.setattr(chart, "DOCS", tmp_path)
    readme = tmp_path / "README.md"
    monkeypatch.setattr(chart, "README", readme)
    readme.write_text(f"# Title\n\n{chart.BEGIN}the old table\n{chart.END}\nmore\n", encoding="utf-8")
    chart.draw(run)
    drawn = ElementTree.parse(tmp_path / "images" / "benchmarks.svg")
    texts = ["".join(node.itertext()) for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "5 x another <library>" in texts
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}rect"))) == 1 + 3
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| - another <library> | 10 ms | 5 x | at least 4 x, met; not durable |" in page
    front = readme.read_text(encoding="utf-8")
    assert front.startswith(f"# Title\n\n{chart.BEGIN}")
    assert front.endswith(f"{chart.END}\nmore\n")
    assert "another <library> 10 ms (not durable)" in front
    assert "the old table" not in front


def test_the_table_in_the_readme_is_that_of_the_stored_run(figures: ModuleType) -> None:
    import chart
    import runs

    assert chart.BEGIN + chart.readme_table(runs.read(runs.STORED)) + chart.END in runs.README.read_text("utf-8")


def test_only_what_has_become_worse_beside_others_is_worse(figures: ModuleType) -> None:
    import compare

    before = run_of(some(figures))
    twice_as_slow_machine = run_of(
        [figures.Figure("task", 4, "ms"), figures.Figure("task", 20, "ms", figures.Side.PEER, "another <library>")]
    )
    found = {change.by: change for change in compare.changes(before, twice_as_slow_machine)}
    assert not found["another <library>"].is_worse(0.25)
    assert found["slow"].is_worse(0.25), "it is not measured any more"
    slower = {change.by: change for change in compare.changes(before, run_of(some(figures, ours=4)))}
    assert slower["another <library>"].is_worse(0.25)
    assert not slower["slow"].is_worse(0.25)


def test_the_table_finds_the_scripts_that_hand_over_figures() -> None:
    import table

    names = table.scripts()
    assert names[: len(table.FIRST)] == list(table.FIRST)
    assert not {"figures", "table", "chart", "compare", "runs", "noop_server"} & set(names)
    assert set(table.QUICK) <= set(names)


@pytest.mark.parametrize("name", ["table", "compare", "server_start", "engine_resume"])
def test_every_script_explains_itself(name: str) -> None:
    command = [sys.executable, str(BENCH / f"{name}.py"), "--help"]
    assert "--json" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")  # of cp_measure, when it is compiled
def test_every_function_of_the_library_is_measured_or_it_is_said_why_not() -> None:
    for needed in ("cv2", "cp_measure", "laptrack"):
        pytest.importorskip(needed)
    from function_cases import UNMEASURED, cases
    from function_images import images_of

    measured = {case.name.partition(",")[0] for case in cases(images_of(128))}
    known = {name for name in dir(functions) if inspect.isfunction(getattr(functions, name))}
    assert measured | set(UNMEASURED) == known
    assert not measured & set(UNMEASURED)


def test_a_function_is_timed_in_turns_with_its_peers_after_a_look_at_the_results(
    figures: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    from function_case import Case, Peer, same
    from function_images import images_of
    from functions import measure

    calls: list[str] = []

    def called(name: str, value: int) -> Any:
        def run() -> int:
            calls.append(name)
            return value

        return run

    report, images = figures.Report(), images_of(64)
    measure(Case("twice", called("ours", 2), (Peer("other", called("other", 2), same),)), images, 2, report)
    assert calls == ["ours", "other"] * 3
    assert [(figure.name, figure.side) for figure in report.figures] == [
        ("twice, 64 px", figures.Side.OURS),
        ("twice, 64 px", figures.Side.PEER),
    ]
    with pytest.raises(AssertionError, match="twice: the result is not that of other"):
        measure(Case("twice", called("ours", 2), (Peer("other", called("other", 3), same),)), images, 2, report)


def test_the_figures_of_many_functions_are_on_the_page_only(figures: ModuleType) -> None:
    import chart
    import msgspec

    run = run_of(some(figures))
    many = msgspec.structs.replace(run.parts[0], script="functions", figures=[figures.Figure("one of many", 1, "ms")])
    run = msgspec.structs.replace(run, parts=[*run.parts, many])
    assert "one of many" in chart.page(run)
    assert "one of many" not in chart.readme_table(run) + chart.picture(run)
