"""``watch``, ``logs``, ``history`` and ``cancel --force``, as processes beside a run."""

import signal
from pathlib import Path

from openhcs_runtime.testing import CommandLine, Gate


def _execution_id(command: CommandLine) -> str:
    execution_id: str = command("status", "--json").document["executions"][0]["execution_id"]
    return execution_id


def test_another_terminal_watches_leaves_and_watches_again(
    command: CommandLine, plate: Path, gate: Gate, tmp_path: Path
) -> None:
    run = command.start("run", plate, "--pipeline", gate.pipeline, "--output", tmp_path / "out", "--workers", "1")
    gate.wait_for_well()
    execution_id = _execution_id(command)
    left = command.start("watch", execution_id[:12])
    assert left.stdout is not None
    assert left.stdout.readline().startswith(f"Watching execution {execution_id}")
    left.send_signal(signal.SIGINT)
    ended = command.finish(left)
    assert ended.code == 130
    watching = command.start("watch", execution_id, "--json")
    gate.open()
    watched = command.finish(watching)
    assert command.finish(run).code == 0
    assert watched.code == 0, watched.stderr
    assert watched.document["status"] == "complete"
    assert [well["status"] for well in watched.document["result"]["wells"]] == ["complete"] * 3
    again = command("watch", execution_id)
    assert "3 complete" in again.stdout


def test_logs_and_history_of_what_has_ended(command: CommandLine, plate: Path, tmp_path: Path) -> None:
    pipeline = tmp_path / "talks.py"
    pipeline.write_text(
        "from openhcs_runtime import FunctionStep\n"
        "def talk(stack):\n    print('a word from the step')\n    return stack\n"
        "pipeline_steps = [FunctionStep(talk)]\n"
    )
    done = command("run", plate, "--pipeline", pipeline, "--output", tmp_path / "out", "--json")
    assert done.code == 0, done.stderr
    execution_id = done.document["execution_id"]
    for follow in ((), ("--follow",)):
        shown = command("logs", *follow, execution_id)
        assert shown.code == 0, shown.stderr
        assert shown.stdout.count("a word from the step") == 3
    assert len(command("logs", execution_id, "--json").document["lines"]) >= 3
    (line,) = command("logs", execution_id, "--well", "A02", "--json").document["lines"]
    assert line.endswith("A02 stdout: a word from the step")
    assert execution_id in command("history").stdout
    assert [each["execution_id"] for each in command("history", "--json").document["executions"]] == [execution_id]
    unknown = command("logs", "ffffffff")
    assert (unknown.code, unknown.stderr.count("\n")) == (2, 1)


def test_cancel_by_force_ends_what_does_not_listen(
    command: CommandLine, plate: Path, gate: Gate, tmp_path: Path
) -> None:
    run = command.start("run", plate, "--pipeline", gate.deaf_pipeline, "--output", tmp_path / "out")
    gate.wait_for_well()
    execution_id = _execution_id(command)
    wrong = command("cancel", execution_id, "--force", "--well", "A01")
    assert (wrong.code, wrong.stderr.count("\n")) == (2, 1)
    cancelled = command("cancel", execution_id, "--force", "--grace", "0")
    assert cancelled.code == 0, cancelled.stderr
    assert command.finish(run).code == 1
    assert command("status", "--json").document["executions"][0]["status"] == "cancelled"


def test_without_a_server_and_with_nothing_on_disk_each_says_so(shared_command: CommandLine) -> None:
    lines = [("watch", "4f2a"), ("logs", "4f2a"), ("history",), ("status", "4f2a"), ("cancel", "4f2a")]
    for finished in shared_command.together(*((*line, "--port", "7990") for line in lines)):
        assert finished.code == 1
        assert finished.stderr == "Error: no server is running on port 7990; 'openhcs-runtime run PLATE' starts one\n"
    nothing = shared_command("resume", "--port", "7990")
    assert (nothing.code, nothing.stderr.count("\n")) == (2, 1)
    assert nothing.stderr.startswith("Error: no run is waiting to be resumed; name one by its id")
