"""The page that puts other libraries beside ours shows what was recorded; our programs on it do what they promise.

Those of the other libraries are run by ``nox -s peers``.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"

pytestmark = pytest.mark.skipif(find_spec("zmqruntime") is None, reason="no package is installed")


@pytest.fixture(autouse=True)
def _bench_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


@pytest.fixture
def programs() -> ModuleType:
    import peer_programs

    return peer_programs


def test_lines_with_code_are_counted(programs: ModuleType) -> None:
    assert programs.code_lines("# $ command\nimport time\n\n\ndef f(x):  # why\n    return [\n        x,\n    ]\n") == 5
    assert programs.code_lines('text = """one\n\ntwo"""\n') == 3


def test_the_page_shows_the_recorded_run_and_the_programs() -> None:
    import peer_page
    import peer_record

    page = peer_page.PAGE.read_text(encoding="utf-8")
    assert peer_page.drawn(page, peer_record.read()) == page, "run tools/bench/peers.py --draw"
    with pytest.raises(ValueError, match="has no part 'lines'"):
        peer_page.drawn(page.replace("<!-- end of lines -->", ""), peer_record.read())


def test_each_job_has_a_program_that_was_run_or_a_reason(programs: ModuleType) -> None:
    import peer_limits
    import peer_record

    recorded = {(each.library, each.job): each for each in peer_record.read().entries}
    for library in programs.Library:
        for job in [job for job in programs.Job if job is not programs.Job.NOOPS]:
            program = programs.Program(library, job)
            assert program.exists != ((library, job) in peer_limits.LIMITS), (library, job)
            if program.exists:
                entry = recorded[library, job]
                assert (entry.lines, entry.commands) == (program.lines, program.commands), (
                    f"{library} {job}: run it again"
                )


@pytest.mark.skipif(os.name == "nt", reason="ends processes as they are ended on POSIX")
@pytest.mark.parametrize("job", ["durable", "cancel", "progress", "resume"])
def test_our_program_does_its_job(job: str, programs: ModuleType) -> None:
    import peer_runs

    peer_runs.prove(programs.Program(programs.Library.OURS, programs.Job(job)))


@pytest.mark.skipif(os.name == "nt", reason="ends processes as they are ended on POSIX")
def test_a_program_that_begins_again_does_not_resume(
    programs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import peer_runs

    (tmp_path / "ours").mkdir()
    again = "from steps import step\n\nprint(sum(step(number) for number in range(10)))\n"
    (tmp_path / "ours" / "resume.py").write_text(again, encoding="utf-8")
    (tmp_path / "steps.py").write_bytes((programs.PROGRAMS / "steps.py").read_bytes())
    monkeypatch.setattr(programs, "PROGRAMS", tmp_path)
    monkeypatch.setattr(peer_runs, "PROGRAMS", tmp_path)
    with pytest.raises(peer_runs.BrokenError, match="steps were done twice"):
        peer_runs.prove(programs.Program(programs.Library.OURS, programs.Job.RESUME))
