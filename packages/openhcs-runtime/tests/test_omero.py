"""The OMERO manager against a stand-in for docker, which is a program on the PATH, and real listeners on its ports."""

import ast
import contextlib
import json
import os
import re
import signal
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import psutil
import pytest

import openhcs_runtime
from openhcs_runtime.exceptions import OmeroError
from openhcs_runtime.omero import OmeroInstanceManager
from openhcs_runtime.testing import CommandLine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for docker is a POSIX script")

_SECONDS = 30.0
PASSWORD = "not a secret"

_DOCKER = r"""#!{python}
import contextlib, json, os, pathlib, socket, subprocess, sys

folder = pathlib.Path(__file__).parent
options, command, rest = sys.argv[1:6], sys.argv[6], sys.argv[7:]
with open(folder / "calls", "a", encoding="utf-8") as calls:
    told = {{name: value for name, value in os.environ.items() if name.startswith("OMERO_")}}
    print(json.dumps({{"options": options, "command": [command, *rest], "told": told}}), file=calls)
says = folder / "says"
if says.exists():
    sys.exit(says.read_text(encoding="utf-8"))
pid = folder / "pid"
match command:
    case "up":
        if not pid.exists():
            mode = folder / "mode"
            server = subprocess.Popen(
                [sys.executable, folder / "server.py", os.environ["OMERO_PORT"], mode.read_text(encoding="utf-8")],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )
            pid.write_text(f"{{server.pid}} {{os.environ['OMERO_PORT']}}", encoding="utf-8")
    case "ps":
        if pid.exists() and not (folder / "crashed").exists():
            print("database\nserver\nweb")
        elif pid.exists():
            print("database\nweb")
    case "logs":
        print("server-1  | Cannot find the database")
    case "down":
        if pid.exists():
            server, port = map(int, pid.read_text(encoding="utf-8").split())
            os.kill(server, 15)
            pid.unlink()
            with contextlib.suppress(ConnectionError):  # docker, too, waits for the end
                while True:
                    with contextlib.suppress(TimeoutError):  # it ended with a full queue
                        socket.create_connection(("127.0.0.1", port), 1).close()
"""

_SERVER = r"""
import pathlib, socket, sys

mode, folder = sys.argv[2], pathlib.Path(__file__).parent
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    while True:
        line, _ = listener.accept()
        with line:
            if mode == "greets":
                line.sendall(b"IceP\x01\x00\x01\x00\x03\x00\x0e\x00\x00\x00")
            elif mode == "crashes":
                (folder / "crashed").touch()
"""


@dataclass(frozen=True)
class Docker:
    """The stand-in: what it shall do, and what it was asked for."""

    folder: Path

    def will(self, mode: str) -> None:
        """How its OMERO server behaves to who connects: ``greets``, ``hangs up`` as docker itself does, ``crashes``."""
        (self.folder / "mode").write_text(mode, encoding="utf-8")

    def fails_with(self, words: str) -> None:
        """It fails, whatever it is asked for."""
        (self.folder / "says").write_text(words, encoding="utf-8")

    def calls(self) -> list[dict[str, Any]]:
        """All calls so far."""
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def commands(self, name: str) -> list[list[str]]:
        """The arguments of each call of one command of compose."""
        return [call["command"][1:] for call in self.calls() if call["command"][0] == name]

    def is_up(self) -> bool:
        """Whether the process that stands for the containers was started and not ended."""
        return (self.folder / "pid").exists()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Docker]:
    folder = tmp_path / "docker"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(_DOCKER.format(python=sys.executable), encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / "server.py").write_text(_SERVER, encoding="utf-8")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    docker = Docker(folder)
    docker.will("greets")
    yield docker
    if docker.is_up():
        pid = int((folder / "pid").read_text(encoding="utf-8").split()[0])
        with contextlib.suppress(psutil.NoSuchProcess):
            if str(folder / "server.py") in psutil.Process(pid).cmdline():
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def manager(docker: Docker, free_port: Callable[[], int]) -> OmeroInstanceManager:
    """One that talks to the stand-in, with ports that are free."""
    return OmeroInstanceManager(
        root_password=PASSWORD, port=free_port(), secure_port=free_port(), web_port=free_port(), project="test"
    )


def test_started_found_again_and_stopped(docker: Docker, manager: OmeroInstanceManager) -> None:
    assert not manager.is_answering()
    assert manager.running() == frozenset()
    manager.start(_SECONDS)
    assert manager.is_answering()
    assert manager.running() == {"database", "server", "web"}
    (up,) = [call for call in docker.calls() if call["command"][0] == "up"]
    assert up["command"] == ["up", "--detach"]
    assert up["options"][0::2] == ["compose", str(resources.files(openhcs_runtime) / "omero" / "compose.yaml"), "test"]
    assert up["told"] == {
        "OMERO_ROOT_PASSWORD": PASSWORD,
        "OMERO_PORT": str(manager.port),
        "OMERO_SECURE_PORT": str(manager.secure_port),
        "OMERO_WEB_PORT": str(manager.web_port),
    }
    again = OmeroInstanceManager(root_password="another", port=manager.port, project="test")
    again.start(_SECONDS)
    assert docker.commands("up")[1:] == [["--detach", "--no-recreate"]], "what runs is left as it is"
    again.wait(_SECONDS)
    again.stop()
    manager.stop(remove_data=True)
    assert docker.commands("down") == [[], ["--volumes"]]
    assert not manager.is_answering()


def test_a_password_is_needed(docker: Docker) -> None:
    with pytest.raises(OmeroError, match="needs a root_password"):
        OmeroInstanceManager().start()
    assert docker.calls() == []


def test_a_port_that_is_taken(docker: Docker, manager: OmeroInstanceManager) -> None:
    with socket.create_server(("127.0.0.1", manager.web_port)):
        with pytest.raises(OmeroError, match=f"port {manager.web_port} is held by process {os.getpid()} .*end it"):
            manager.start(_SECONDS)
        assert docker.commands("up") == []


def test_a_listener_alone_is_no_omero(docker: Docker, manager: OmeroInstanceManager) -> None:
    docker.will("hang up")
    with pytest.raises(OmeroError, match=rf"not answer on port {manager.port} after \d+ s.*\n.*Cannot find the data"):
        manager.start(1.0)
    assert docker.commands("down") == [], "whoever started it can look at it"
    assert docker.is_up()


def test_a_container_that_ends_is_not_waited_for(
    docker: Docker, manager: OmeroInstanceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openhcs_runtime.omero.manager._LOOK_SECONDS", 0.1)
    docker.will("crashes")
    with pytest.raises(OmeroError, match="have ended by themselves: server; its log ends with:"):
        manager.start(600)


def test_no_docker(manager: OmeroInstanceManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OmeroError, match="no program 'docker' is on the PATH: install Docker Engine"):
        manager.start(_SECONDS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("docker: 'compose' is not a docker command.\nSee 'docker --help'", "no compose plugin: install"),
        ("docker: unknown command: docker compose\n\nRun 'docker --help' for more information", "no compose plugin"),
        ("unknown flag: --file\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker'", "no compose plugin"),
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "daemon does not answer: start it",
        ),
        (
            "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock",
            "or let this user use it",
        ),
        ("Pulling\nmanifest unknown", "'docker compose ps' failed: manifest unknown"),
    ],
)
def test_what_docker_says_is_told(docker: Docker, manager: OmeroInstanceManager, words: str, told: str) -> None:
    docker.fails_with(words)
    with pytest.raises(OmeroError, match=re.escape(told)) as raised:
        manager.start(_SECONDS)
    assert "\n" not in str(raised.value)


def test_a_docker_that_hangs_has_a_deadline(docker: Docker, manager: OmeroInstanceManager) -> None:
    (docker.folder / "docker").write_text("#!/bin/sh\nexec tail -f /dev/null\n", encoding="utf-8")
    with pytest.raises(OmeroError, match=r"'docker compose down' was ended as it took longer than 0\.2 s"):
        manager.stop(timeout=0.2)


def test_only_this_machine_reaches_the_containers() -> None:
    text = resources.files(openhcs_runtime).joinpath("omero", "compose.yaml").read_text(encoding="utf-8")
    published = re.findall(r"^ +- (\S+:\d+)$", text, re.MULTILINE)
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:${OMERO_") for port in published)


def test_nothing_but_its_commands_knows_it() -> None:
    root = Path(openhcs_runtime.__file__).parent
    users = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("openhcs_runtime.omero")
        if path.parent.name != "omero"
    }
    assert users == {"cli/commands/omero.py", "compat/omero_instance_manager.py"}  # the latter is an earlier name of it


@pytest.fixture
def terminal(docker: Docker, tmp_path: Path) -> CommandLine:
    """The command line, with the stand-in on its PATH."""
    home = tmp_path / "home"
    home.mkdir()
    terminal = CommandLine(home)
    terminal.environment |= {"PATH": os.environ["PATH"], "OMERO_ROOT_PASSWORD": PASSWORD}
    return terminal


def test_on_the_command_line(docker: Docker, terminal: CommandLine, free_port: Callable[[], int]) -> None:
    port, secure, web = (str(free_port()) for _ in range(3))
    start = ("omero", "start", "--port", port, "--secure-port", secure, "--web-port", web)
    started, again = terminal(*start, "--json"), terminal(*start)
    assert started.code == 0, started.stdout
    assert started.document["web"] == f"http://127.0.0.1:{web}"
    assert f"OMERO answers on port {port} of 127.0.0.1" in again.stdout
    assert docker.calls()[0]["told"]["OMERO_ROOT_PASSWORD"] == PASSWORD
    assert PASSWORD not in started.stdout + started.stderr + again.stdout + again.stderr
    status = terminal("omero", "status", "--port", port, "--json").document
    assert (status["answers"], status["running"]) == (True, ["database", "server", "web"])
    assert "database and images are kept" in terminal("omero", "stop").stdout
    assert "does not answer" in terminal("omero", "status", "--port", port).stdout
    assert terminal("omero", "stop", "--remove-data", "--json").document["data_removed"]
    assert docker.commands("down") == [[], ["--volumes"]]


def test_errors_on_the_command_line(docker: Docker, terminal: CommandLine) -> None:
    docker.fails_with("docker: unknown command: docker compose")
    lines = [("omero", name, "--json") for name in ("start", "status", "stop")]
    for failed in terminal.together(*lines):
        assert (failed.code, failed.document["error"]["kind"]) == (1, "omero")
        assert "no compose plugin" in failed.document["error"]["message"]
    terminal.environment.pop("OMERO_ROOT_PASSWORD")
    silent = terminal("omero", "start")
    assert (silent.code, silent.stderr.count("\n")) == (2, 1)
    assert "set OMERO_ROOT_PASSWORD" in silent.stderr
    alone = terminal("omero")
    assert (alone.code, alone.stderr.count("\n")) == (2, 1)


def test_help_teaches(terminal: CommandLine) -> None:
    pages = terminal.together(("--help",), *(("omero", *name, "--help") for name in ((), ("start",), ("stop",))))
    assert all(page.code == 0 for page in pages)
    assert "\n  omero " in pages[0].stdout
    assert all("    openhcs-runtime omero st" in page.stdout for page in pages[1:])
