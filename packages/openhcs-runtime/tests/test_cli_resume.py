"""``compile``, ``resume`` and ``rerun``, as processes."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from openhcs_runtime.testing import CommandLine, Gate


def test_compile_tells_what_a_run_would_do_and_run_does_it(
    command: CommandLine, half_plate: Path, tmp_path: Path
) -> None:
    for_people = command("compile", half_plate, "--output", tmp_path / "out")
    assert for_people.code == 0, for_people.stderr
    assert "3 wells; " in for_people.stdout
    assert str(tmp_path / "out") in for_people.stdout
    compiled_id = command("status", "--json").document["executions"][0]["execution_id"]
    assert f"run --compiled {compiled_id}" in for_people.stdout
    done = command("run", "--compiled", compiled_id[:20], "--json")
    assert done.code == 1
    assert [well["status"] for well in done.document["result"]["wells"]] == ["complete", "failed", "complete"]

    wrong = command("run", half_plate, "--compiled", compiled_id)
    assert (wrong.code, wrong.stderr.count("\n")) == (2, 1)
    not_compiled = command("run", "--compiled", done.document["execution_id"])
    assert not_compiled.code == 2
    assert "not a complete compilation" in not_compiled.stderr


def test_compile_tells_all_problems_at_once(shared_command: CommandLine, plate: Path, tmp_path: Path) -> None:
    pipeline = tmp_path / "pipeline.py"
    pipeline.write_text(
        "from openhcs_runtime import FunctionStep\n"
        "from openhcs_runtime.functions import measure_objects, segment_nuclei\n"
        "pipeline_steps = [FunctionStep((segment_nuclei, {'sise': 1})), "
        "FunctionStep((measure_objects, {'nam': 'a'}))]\n"
    )
    finished = shared_command("compile", plate, "--pipeline", pipeline, "--json")
    assert finished.code == 2
    assert finished.document["compiled"] is None
    assert len(finished.document["error"]["problems"]) == 2


def test_resume_does_what_was_cancelled(command: CommandLine, plate: Path, gate: Gate, tmp_path: Path) -> None:
    run = command.start("run", plate, "--pipeline", gate.pipeline, "--output", tmp_path / "out", "--workers", "1")
    gate.wait_for_well()
    run.send_signal(signal.SIGINT)
    assert command.finish(run).code == 130
    execution_id = command("status", "--json").document["executions"][0]["execution_id"]
    gate.open()
    finished = command("resume", execution_id[:20], "--json")
    assert finished.code == 0, finished.stderr
    assert [well["status"] for well in finished.document["result"]["wells"]] == ["complete"] * 3
    again = command("resume", finished.document["execution_id"], "--json")
    assert [well["reused"] for well in again.document["result"]["wells"]] == [True] * 3


def test_a_run_whose_server_was_killed_goes_on_in_its_folder(
    command: CommandLine, plate: Path, gate: Gate, tmp_path: Path
) -> None:
    run = command.start("run", plate, "--pipeline", gate.pipeline, "--output", tmp_path / "out")
    gate.wait_for_well()
    document = command("status", "--json").document
    os.kill(document["server"]["pid"], signal.SIGKILL)
    gate.open()
    finished = command.finish(run)
    assert finished.code == 0, finished.stderr
    assert "3 complete" in finished.stdout
    again = command("resume", document["executions"][0]["execution_id"], "--json")
    assert again.document["result"]["output_dir"] == str(tmp_path / "out")
    assert [well["reused"] for well in again.document["result"]["wells"]] == [True] * 3


def test_rerun_repeats_what_made_a_folder(
    command: CommandLine, plate: Path, new_plate: Callable[..., Path], tmp_path: Path
) -> None:
    first = command("run", plate, "--output", tmp_path / "out", "--json")
    again = command("rerun", tmp_path / "out", "--json")
    assert again.code == 0, again.stderr
    assert again.document["result"]["output_dir"] == str(tmp_path / "out_rerun")
    tables = [Path(each.document["result"]["measurements"]).read_bytes() for each in (first, again)]
    assert tables[0] == tables[1]
    nowhere = command("rerun", new_plate(wells=1))
    assert (nowhere.code, nowhere.stderr.count("\n")) == (2, 1)
    assert "has no results" in nowhere.stderr
