"""Commands that serve, submit and schedule, and what the others say of names, queues and conditions."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess, Popen

import pytest

from zmqruntime import QueueAction
from zmqruntime.execution import ExecutionClient, Executor
from zmqruntime.execution.cli.app import main

SERVERS = Path(__file__).with_name("servers.py")
Command = Callable[..., "CompletedProcess[str]"]
Start = Callable[..., "Popen[str]"]

PORT = ("--port", "7801")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], isolated_home: Path) -> Command:
    """Runs the command in this process, which takes a fraction of the time."""
    monkeypatch.chdir(isolated_home)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*arguments: str) -> "CompletedProcess[str]":
        monkeypatch.setattr(sys, "argv", ["zmqruntime", *arguments])
        capsys.readouterr()
        code = main()
        said = capsys.readouterr()
        return CompletedProcess(arguments, code, said.out, said.err)

    return run


def test_a_server_in_a_terminal_and_what_is_said_of_it(start_command: Start, command: Command) -> None:
    target = f"{SERVERS}:BenchServer"
    server = start_command("serve", target, *PORT, "--max-concurrent", "2", "--resource", "gpu=1")
    assert server.stdout is not None
    assert server.stdout.readline().startswith("BenchServer of zmqruntime on port 7801, process ")
    with ExecutionClient(7801) as client:
        client.change_queue(QueueAction.PAUSE, queue="slow")
        client.wait(client.submit({}, name="first", resources={"gpu": 1}), 30)
        client.submit({}, name="second", queue="slow")
        client.schedule("nightly", {}, cron="0 3 * * *", timezone="Europe/Madrid", name="report")
        said = command("status", *PORT).stdout
        assert "Queue slow: 0 running, 1 queued, paused" in said
        assert "1 schedule, next is nightly at" in said
        heads, *rows = said.splitlines()[-3:]
        assert heads.split() == ["EXECUTION", "NAME", "QUEUE", "STATUS", "SUBMITTED", "TOOK", "ABOUT"]
        assert rows[0].split()[1:6] == ["second", "slow", "queued", "(queue", "paused)"]
        document = json.loads(command("status", *PORT, "--json").stdout)
        assert [queue["name"] for queue in document["queues"]] == ["slow"]
        assert command("queue", "limit", "slow", "1", *PORT).stdout == "At most 1 of slow will run at once.\n"
        assert command("queue", "resume", "--queue", "slow", *PORT).stdout.startswith("Resumed slow:")
        client.wait(document["executions"][0]["execution_id"], 30)
        assert command("queue", "limit", "slow", "none", *PORT).stdout == "Removed the limit of slow.\n"
        listed = command("schedules", "list", *PORT).stdout.splitlines()
        assert listed[1].startswith("nightly   0 3 * * * Europe/Madrid")
        assert command("schedules", "remove", "nightly", *PORT).returncode == 0
        gone = command("schedules", "remove", "nightly", *PORT)
        assert (gone.returncode, "no schedule 'nightly'" in gone.stderr) == (2, True)
    server.send_signal(signal.SIGTERM)
    assert server.communicate(timeout=60)[0] == "Stopped.\n"
    assert server.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["zmqruntime.config:ZMQConfig"], "is not a server class"),
        (["servers.py:Missing"], "cannot find the server class"),
        (["a:B", "--resource", "gpu"], "'gpu' is not NAME=AMOUNT"),
        (["a:B", "--option", "model=large"], "'model=large' is not NAME=JSON"),
    ],
)
def test_what_cannot_be_served_is_said(command: Command, arguments: list[str], text: str) -> None:
    ended = command("serve", *arguments)
    assert (ended.returncode, text in ended.stderr, ended.stdout) == (2, True, "")


def test_a_function_from_a_shell(command: Command, isolated_home: Path) -> None:
    (isolated_home / "jobs.py").write_text("def add(x, y=0):\n    return x + y\n")
    done = command("submit", "jobs.py:add", "1", "y=2", "--wait", "--executor", "sums", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["result"]) == (0, 3)
    sums = ("--executor", "sums", "--wait")
    again = command("submit", "jobs.py:add", "1", *sums, "--after", document["execution_id"][:12])
    assert again.stdout.splitlines()[-1] == "1"
    assert "follow it with: zmqruntime events --port" in again.stderr
    failed = command("submit", "jobs.py:add", '"a"', "--executor", "sums", "--wait")
    assert (failed.returncode, "TypeError" in failed.stderr) == (1, True)
    for wrong, text in (
        (["jobs.py:add", "one"], "'one' is not JSON"),
        (["jobs.py:gone"], "cannot import jobs.py:gone"),
        (["jobs.py:add", "1", "--after", "zzzz"], "this server has no execution zzzz"),
        (["jobs"], "names no function"),
        (["jobs.py:add", "1", "2", "3"], "add()"),
    ):
        refused = command("submit", *wrong, "--executor", "sums")
        assert (refused.returncode, text in refused.stderr, "Traceback" in refused.stderr) == (2, True, False)
    assert command("stop", "--port", str(document["port"])).returncode == 0


CODE = {
    "syntax.py": "def add(:\n    pass\n",
    "name.py": "x = 1\ny = nothing\n",
    "ends.py": "import sys\nsys.exit(3)\n",
}


@pytest.mark.parametrize("verb", ["serve", "submit"])
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("syntax.py", "SyntaxError: invalid syntax ({folder}/syntax.py, line 1: def add(:)"),
        ("name.py", "NameError: name 'nothing' is not defined ({folder}/name.py, line 2: y = nothing)"),
        ("ends.py", "it ends the process ({folder}/ends.py, line 2: sys.exit(3)); put what it does"),
    ],
)
def test_code_that_cannot_be_imported_is_named_with_its_line(
    command: Command, isolated_home: Path, verb: str, file: str, text: str
) -> None:
    (isolated_home / file).write_text(CODE[file])
    ended = command(verb, f"{file}:add")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"Error: cannot import {file}:add: {text.format(folder=isolated_home)}")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["submit", "json:dumps", "1", "--executor", "a b"], "'a b' cannot be the name of an executor"),
        (["submit", "json:dumps", "1", "--after", "a b"], "'a b' is not an execution id"),
        (["submit", "json:dumps", "1", "--after", "zzzz"], "has no execution zzzz"),
        (["submit", "json:dumps", "1", "--priority", "9999999"], "is not a whole number from -1000000"),
        (["submit", "json:dumps", "[" * 5000], "nested too deeply"),
        (["queue", "pause", "--queue", "a b"], "'a b' is not a name"),
        (["schedules", "remove", "a b"], "'a b' is not a name"),
    ],
)
def test_what_is_typed_wrongly_is_said_in_words_and_as_json(command: Command, arguments: list[str], text: str) -> None:
    said = command(*arguments)
    assert (said.returncode, said.stdout, text in said.stderr) == (2, "", True)
    document = json.loads(command(*arguments, "--json").stdout)
    assert (document["exit_code"], text in document["error"]["message"]) == (2, True)


def test_output_that_cannot_be_written_is_said(isolated_home: Path, start_command: Start) -> None:
    with open("/dev/full", "w") as full:
        ended = start_command("list", "--json", stdout=full)
        said = ended.communicate(timeout=60)[1]
    assert (ended.returncode, said.count("\n")) == (1, 1)
    assert said.startswith("Error: the output cannot be written (No space left on device)")


def test_an_executor_is_named_instead_of_its_port(command: Command, isolated_home: Path) -> None:
    for name in ("one", "two"):
        with Executor(name, persistent=False) as executor:
            executor.submit(divmod, 7, 2 if name == "one" else 3).result(60)
    (one,) = json.loads(command("history", "--executor", "one", "--json").stdout)["executions"]
    assert one["name"] == "divmod"
    assert command("status", one["execution_id"], "--executor", "one").returncode == 0
    unknown = command("status", "--executor", "three")
    assert (unknown.returncode, "choose one that was used: one, two" in unknown.stderr) == (2, True)
    assert command("status", "--executor", "one", "--port", "7").returncode == 2
