"""What can be read and resumed while no server is running; the two command lines give the same answers."""

import os
import signal
import sqlite3
from pathlib import Path

import psutil
import pytest

from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.testing import CommandLine, Finished, Gate
from zmqruntime.execution.server.stored import database_path

FROM_DISK = "From disk; no server is running on port 7777"
LISTED = ("execution_id", "status")


def of_both(command: CommandLine, *arguments: str) -> tuple[Finished, Finished]:
    """What ``openhcs-runtime`` and ``zmqruntime`` answer to the same question."""
    ours = command.start(*arguments)
    theirs = command.start_python("-m", "zmqruntime.execution.cli", *arguments, "--app", "openhcs")
    return command.finish(ours), command.finish(theirs)


def listed(finished: Finished) -> list[tuple[str, str]]:
    return [(entry["execution_id"], entry["status"]) for entry in finished.document["executions"]]


def stop_under(command: CommandLine, plate: Path, gate: Gate, output: Path) -> str:
    """Stop the server while a run is waiting at the gate; gives the id of the run."""
    run = command.start("run", plate, "--pipeline", gate.pipeline, "--output", output)
    gate.wait_for_well()
    (interrupted,) = command("stop", "--json").document["interrupted"]
    assert command.finish(run).code == 1
    return str(interrupted)


def test_with_nothing_on_disk_the_two_commands_give_the_same_answers(command: CommandLine) -> None:
    for question, code in {("status",): 0, ("history",): 1, ("logs", "4f2a"): 1}.items():
        for finished in of_both(command, *question):
            assert finished.code == code, question
            assert "is running on port 7777" in finished.stdout + finished.stderr, question


def test_from_disk_the_two_commands_give_the_answers_that_the_server_gave(
    command: CommandLine, plate: Path, tmp_path: Path
) -> None:
    done = command("run", plate, "--output", tmp_path / "out", "--json").document["execution_id"]
    questions = [("status",), ("logs", done[:20])]
    before = [of_both(command, *question, "--json") for question in questions]
    assert command("stop").code == 0
    after = [of_both(command, *question, "--json") for question in questions]
    for then, now in zip(sum(before, ()), sum(after, ()), strict=True):
        assert (now.code, now.stderr) == (then.code, then.stderr) == (0, "")
        old, new = then.document, now.document
        assert (old.pop("from_disk"), new.pop("from_disk")) == (False, True)
        for one in (old, new):
            one.pop("server", None)
            one.pop("workers", None)
        assert new == old
    for finished in of_both(command, "status", "nosuch"):
        assert (finished.code, finished.stdout, finished.stderr.count("\n")) == (2, "", 1)
        assert "there is no execution nosuch in" in finished.stderr


def test_the_results_of_a_run_are_shown_from_disk(command: CommandLine, plate: Path, tmp_path: Path) -> None:
    done = command("run", plate, "--output", tmp_path / "out", "--json").document["execution_id"]
    assert command("stop").code == 0
    shown = command("status", done)
    assert (shown.code, shown.stderr) == (0, f"{FROM_DISK}\n")
    assert str(tmp_path / "out") in shown.stdout
    assert "3 complete" in shown.stdout
    assert command("results", tmp_path / "out", "--json").code == 0
    assert command.processes() == []


@pytest.mark.skipif(os.name != "posix", reason="a server is killed with a POSIX signal")
def test_resume_without_an_id_finishes_the_run_that_was_interrupted(
    command: CommandLine, plate: Path, gate: Gate, tmp_path: Path
) -> None:
    done = command("run", plate, "--output", tmp_path / "done", "--json").document["execution_id"]
    run = command.start("run", plate, "--pipeline", gate.pipeline, "--output", tmp_path / "out")
    gate.wait_for_well()
    server = psutil.Process(command("status", "--json").document["server"]["pid"])
    run.kill()  # it would start the next server
    command.finish(run)
    family = [server, *server.children(recursive=True)]
    server.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, 30)
    overview, *documents = command.together(("status",), ("status", "--json"), ("history", "--json"))
    interrupted = listed(documents[0])[0][0]
    for finished in documents:
        assert listed(finished) == [(interrupted, "interrupted"), (done, "complete")]
    assert overview.stdout.startswith(f"{FROM_DISK}: 1 interrupted, 0 queued\n")
    assert overview.stdout.endswith("'openhcs-runtime resume' goes on with what was interrupted.\n")
    gate.open()
    resumed = command("resume", "--json")
    assert resumed.code == 0, resumed.stderr
    assert (resumed.document["execution_id"], resumed.document["status"]) == (interrupted, "complete")


def test_resume_without_an_id_lists_several(command: CommandLine, plate: Path, gate: Gate, tmp_path: Path) -> None:
    first = stop_under(command, plate, gate, tmp_path / "first")
    database = database_path(OPENHCS_CONFIG, 7777)
    path = command.home / database.relative_to(Path.home())
    with sqlite3.connect(path) as connection:  # another one, as a server with two workers leaves it
        columns = [row[1] for row in connection.execute("PRAGMA table_info(executions)")]
        kept = ", ".join(name for name in columns if name not in ("number", "execution_id", "implied_states", "crc"))
        second = "f" * 32
        connection.execute(
            f"INSERT INTO executions (number, execution_id, {kept}) SELECT number + 1, ?, {kept} FROM executions",
            (second,),
        )
    connection.close()
    several, as_json = command.both("resume")
    assert (several.code, several.stdout) == (2, "")
    heading, *lines = several.stderr.splitlines()
    assert heading == "Error: 2 runs are waiting to be resumed; name one by its id:"
    assert [line.split()[1] for line in lines] == [first, second]
    assert len(as_json.document["error"]["problems"]) == 2
    assert command.processes() == []
    gate.open()
