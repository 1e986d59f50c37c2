"""Help and wrong use of the command ``zmqruntime``, and what it says where no server is running."""

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zmqruntime.execution.cli import main
from zmqruntime.execution.cli.surface import make_parser

Command = Callable[..., "subprocess.CompletedProcess[str]"]
StartCommand = Callable[..., "subprocess.Popen[str]"]
Here = Callable[..., tuple[int, str, str]]

COMMANDS = ("list", "status", "events", "logs", "history", "cancel", "stop", "doctor", "metrics")
QUEUE_COMMANDS = tuple(f"queue {action}" for action in ("pause", "resume", "drain", "hold", "release", "move"))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """Runs a command in this process; gives its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["zmqruntime", *arguments])
        try:
            code = main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def bind(isolated_home: Path) -> Iterator[Callable[[str], socket.socket]]:
    """Binds Unix sockets below the home folder, as foreign programs or killed servers do."""
    bound: list[tuple[socket.socket, Path]] = []

    def bind(name: str) -> socket.socket:
        path = isolated_home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        bound.append((listener, path))
        return listener

    yield bind
    for listener, path in bound:
        listener.close()
        path.unlink(missing_ok=True)


def test_help_teaches_every_command(here: Here, command: Command) -> None:
    for name in (*COMMANDS, *QUEUE_COMMANDS):
        code, page, _ = here(*name.split(), "--help")
        assert code == 0
        assert f"\nexamples:\n  zmqruntime {name}" in page
        assert "--json" in page
    overview = command()
    assert overview.returncode == 0
    for name in (*COMMANDS, "queue"):
        assert f"\n    {name} " in overview.stdout


def test_every_option_that_takes_a_value_says_what_it_is_when_left_out() -> None:
    silent = [name for name, page in _option_helps(make_parser()) if "[default: " not in page]
    assert silent == []


def _option_helps(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """The name and the help of each option that takes a value, of a parser and those below it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _option_helps(each)
        elif action.option_strings and action.nargs != 0:
            yield f"{parser.prog} {action.dest}", action.help or ""


def test_version(command: Command) -> None:
    assert command("--version").stdout.startswith("zmqruntime 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("events",),
        ("queue",),
        ("queue", "move", "4f2a91", "first"),
        ("status", "--port", "70000"),
        ("status", "--app", "../elsewhere"),
        ("list", "--app", "openhcs"),
        ("logs", "../../secret"),
        ("cancel", "4f2a91", "--now", "--grace", "3"),
        ("cancel", "4f2a91", "--grace", "nan"),
    ],
)
def test_wrong_use(here: Here, arguments: tuple[str, ...]) -> None:
    code, stdout, stderr = here(*arguments)
    assert (code, stdout, stderr.count("\n")) == (2, "", 1)
    assert stderr.startswith("Error: ")
    assert "--help" in stderr
    code, stdout, stderr = here(*arguments, "--json")
    document = json.loads(stdout)
    assert (code, document["exit_code"], document["error"]["kind"], stderr) == (2, 2, "usage", "")


def test_without_a_server_each_command_says_so_and_starts_none(here: Here, isolated_home: Path) -> None:
    one = "0123456789"
    for line in (("status", one), ("events", one), ("history",), ("logs", one), ("cancel", one), ("queue", "pause")):
        code, stdout, stderr = here(*line)
        assert (code, stdout) == (1, "")
        assert stderr.startswith("Error: no server is running on port 7777; 'zmqruntime list'")
    code, stdout, stderr = here("status")
    assert (code, stderr) == (0, "")
    assert stdout.startswith("No server is running on port 7777; 'zmqruntime list'")
    code, stdout, _ = here("status", "--app", "other", "--json")
    assert (code, json.loads(stdout)["server"]) == (0, None)
    code, stdout, _ = here("history", "--app", "other", "--json")
    error = json.loads(stdout)["error"]
    assert (code, error["kind"]) == (1, "no_server")
    assert error["message"].startswith("no server of other is running on port 7777")
    code, stdout, _ = here("stop", "--json")
    assert (code, json.loads(stdout)["stopped"]) == (0, False)
    assert list(isolated_home.iterdir()) == []


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no socket files here")
def test_list_finds_what_is_stale_or_silent_and_stop_removes_only_the_former(
    here: Here, start_command: StartCommand, bind: Callable[[str], socket.socket], isolated_home: Path
) -> None:
    assert json.loads(here("list", "--json")[1]) == {"servers": [], "exit_code": 0}
    for name in (".killed/ipc/zmq-7777.sock", ".killed/ipc/zmq-8777.sock", ".killed/ipc/task-12-ab.sock"):
        bind(name).close()
    bind(".half/ipc/zmq-8800.sock").close()
    for name in (".foreign/ipc/zmq-7777.sock", ".foreign/ipc/zmq-8777.sock"):
        bind(name).listen(100)
    busy = str(isolated_home / ".busy/ipc/zmq-7777.sock")
    bind(busy).listen(0)
    bind(".other/sockets/zmq-7777.sock").listen()
    (isolated_home / ".half/ipc/zmq-9999.sock").touch()
    before = sorted(isolated_home.rglob("*"))
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(busy)  # now nobody else gets in
        started = [start_command("list", "--json"), start_command("list"), start_command("status", "--app", "foreign")]
        as_json, for_people, status = [process.communicate(timeout=60) for process in started]
    assert sorted(isolated_home.rglob("*")) == before
    found = json.loads(as_json[0])["servers"]
    states = {(entry["app"], entry["port"]): entry["state"] for entry in found}
    assert states == {
        ("busy", 7777): "silent",
        ("foreign", 7777): "silent",
        ("half", 8800): "stale",
        ("killed", 7777): "stale",
    }
    assert "\nstale: " in for_people[0]
    assert "\nsilent: " in for_people[0]
    assert [process.returncode for process in started] == [0, 0, 2]
    assert "does not answer as a server of foreign" in status[1]
    assert "the files of one that was killed have been removed" in here("stop", "--app", "half", "--port", "8800")[1]
    left = sorted(isolated_home.rglob("*.sock"))
    assert left == [path for path in before if path.suffix == ".sock" and path.name != "zmq-8800.sock"]
    assert here("stop", "--app", "foreign")[0] != 0
    assert sorted(isolated_home.rglob("*.sock")) == left


def test_nothing_heavy_is_loaded() -> None:
    unwanted = {"numpy", "rich", "typer", "prometheus_client", "asyncio", "psutil"}
    code = f"import sys, zmqruntime.execution.cli; print(*sorted({unwanted!r} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert loaded.stdout.split() == []


def test_status_without_a_server_loads_nothing_that_speaks_to_one(tmp_path: Path) -> None:
    code = "import sys; from zmqruntime.execution.cli import main; main(); print(*sys.modules)"
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, "status"], env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    said, loaded = done.stdout.splitlines()
    assert said.startswith("No server is running")
    modules = loaded.split()
    assert not {"zmq", "sqlite3", "asyncio", "logging", "concurrent.futures"}.intersection(modules)
    commands = [name for name in modules if name.startswith("zmqruntime.execution.cli.commands.")]
    assert commands == ["zmqruntime.execution.cli.commands.executions"]
