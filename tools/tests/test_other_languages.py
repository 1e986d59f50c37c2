"""The clients of docs/examples against a real server: what the page of the protocol says is enough."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import zmq

pytestmark = [
    pytest.mark.skipif(find_spec("zmqruntime") is None, reason="no package is installed"),
    pytest.mark.skipif(os.name == "nt", reason="the client speaks IPC, which Windows has not"),
]

if find_spec("zmqruntime") is not None:
    from zmqruntime import KeyStore, ProgressUpdate, StateChange, TransportMode, ZMQConfig
    from zmqruntime.execution import ExecutionClient
    from zmqruntime.testing import isolated_home, no_leaks

    __all__ = ["isolated_home", "no_leaks"]

DOCS = Path(__file__).resolve().parents[2] / "docs"
CLIENT = DOCS / "examples" / "client.mjs"
CPP_CLIENT = DOCS / "examples" / "client.cpp"
PAGE = DOCS / "howto-other-language.md"
PORT = 7940
END_SECONDS = 60
SERVER = """
import threading
from pathlib import Path

from zmqruntime import ProgressPhase, ProgressStatus
from zmqruntime.execution import ExecutionServer, current_task


class StepServer(ExecutionServer):
    def execute_task(self, execution_id, request):
        task, total, tick = current_task(), request.payload["steps"], threading.Event()
        for done in range(len(task.checkpoints()), total):
            while not Path(request.payload["folder"], str(done)).exists():
                task.check_cancelled()
                tick.wait(0.005)
            task.checkpoint(str(done), True)
            task.log.info("step %d", done)
            task.report(axis_id=f"A{done}", step_name="walk", step_index=0, total_steps=1, completed=1, total=1,
                        phase=ProgressPhase.AXIS_COMPLETED, status=ProgressStatus.COMPLETED)
        return total
"""
OVER_TCP = """
import { ExecutionClient } from "./client.mjs";
const [port, curveServerKey, curvePublicKey, curveSecretKey] = process.argv.slice(2);
const options = { curveServerKey, curvePublicKey, curveSecretKey, receiveTimeout: 3000 };
const client = new ExecutionClient({ port, options, address: (number) => `tcp://127.0.0.1:${number}` });
console.log(JSON.stringify(await client.ping()));
for await (const event of client.follow(await client.submit({ steps: 0 }))) console.log(JSON.stringify(event));
"""


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client in a folder with its two libraries, fetched by npm."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not there")
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(CLIENT, folder)
    command = [npm, "install", "--no-audit", "--no-fund", "--prefer-offline", "zeromq@6", "@msgpack/msgpack@3"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not get at its registry")
    if done.returncode != 0:
        pytest.skip(f"npm could not install the libraries: {done.stderr[-300:]}")
    return folder


@pytest.fixture(scope="module")
def cpp_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program made of the client in C++."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not there")
    folder = tmp_path_factory.mktemp("cpp")
    headers = "#include <zmq.h>\n#include <nlohmann/json.hpp>\n"
    found = subprocess.run(["g++", "-E", "-x", "c++", "-"], input=headers, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip("libzmq3-dev or nlohmann-json3-dev is not there")
    subprocess.run(["g++", "-std=c++17", "-Wall", "-Werror", CPP_CLIENT, "-o", folder / "client", "-lzmq"], check=True)
    return folder


class Walk:
    """A server whose task makes a step for each file that appears, and a client in another language."""

    def __init__(self, folder: Path, program: Path, resources: ExitStack) -> None:
        self.folder = folder
        self.resources = resources
        self.program = program
        (folder / "steps.py").write_text(SERVER, encoding="utf-8")
        self.python = self.connect()

    def connect(self, port: int = PORT, mode: "TransportMode | None" = None) -> "ExecutionClient":
        """A Python client, which starts the server if there is none."""
        server = f"{self.folder / 'steps.py'}:StepServer"
        made = ExecutionClient(port, server=server, persistent=False, transport_mode=mode)
        return self.resources.enter_context(made)

    def go(self, *steps: int) -> None:
        """Let the task make these steps."""
        for step in steps:
            (self.folder / str(step)).touch()

    def submit(self, steps: int, **options: Any) -> str:
        """Submit from Python."""
        return self.python.submit({"steps": steps, "folder": str(self.folder)}, **options)

    def client(self, *arguments: str, script: str = "client.mjs") -> "subprocess.Popen[str]":
        """The client with these arguments, killed at the end of the test at the latest."""
        is_cpp = (self.program / "client").exists()
        command = ["./client", *arguments] if is_cpp else ["node", script, *arguments]
        port = ["--port", str(PORT)] if script == "client.mjs" and not is_cpp else []
        process = subprocess.Popen(
            [*command, *port],
            cwd=self.program,
            env={**os.environ, "ZR_PORT": str(PORT)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.resources.enter_context(process)
        self.resources.callback(process.kill)
        return process

    def said(self, process: "subprocess.Popen[str]") -> list[dict[str, Any]]:
        """All that the client prints until it ends."""
        out, err = process.communicate(timeout=END_SECONDS)
        assert process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def js_walk(node_folder: Path, isolated_home: Path, no_leaks: None, tmp_path: Path) -> Iterator[Walk]:
    with ExitStack() as resources:
        yield Walk(tmp_path, node_folder, resources)


@pytest.fixture(params=["node_folder", "cpp_folder"])
def walk(request: pytest.FixtureRequest, isolated_home: Path, no_leaks: None, tmp_path: Path) -> Iterator[Walk]:
    with ExitStack() as resources:
        yield Walk(tmp_path, request.getfixturevalue(request.param), resources)


def seen_by_python(walk: Walk, execution_id: str) -> list[str]:
    """The statuses and steps of an ended execution, as the Python client gets them."""
    events = walk.python.events(execution_id)
    return [
        event.execution.status if isinstance(event, StateChange) else event.axis_id
        for event in events
        if isinstance(event, StateChange | ProgressUpdate)
    ]


def seen_by_client(events: list[dict[str, Any]]) -> list[str]:
    """The same of what the client printed."""
    shown: dict[str, Callable[[dict[str, Any]], str]] = {
        "state": lambda event: event["execution"]["status"],
        "progress": lambda event: event["axis_id"],
    }
    return [shown[event["type"]](event) for event in events if event["type"] in shown]


def test_the_client_has_less_than_ninety_lines() -> None:
    assert len(CLIENT.read_text(encoding="utf-8").splitlines()) < 90


def test_it_pings_and_is_told_why_not(walk: Walk) -> None:
    (pong,) = walk.said(walk.client("ping"))
    assert pong["pid"] == walk.python.server.pid
    refused = walk.client("follow", "nosuch")
    assert "no execution" in refused.communicate(timeout=END_SECONDS)[1]
    assert refused.returncode == 1


@pytest.mark.parametrize("program", ["node_folder", "cpp_folder"])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "error: usage: "),
        (["dance"], "error: usage: "),
        (["cancel"], "error: usage: "),
        (["run", "{bad"], "error: "),
    ],
)
def test_a_mistake_is_said_in_one_line(
    request: pytest.FixtureRequest, program: str, arguments: list[str], text: str
) -> None:
    folder = request.getfixturevalue(program)
    command = ["./client"] if program == "cpp_folder" else ["node", "client.mjs"]
    found = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (1, "", 1), found.stderr
    assert found.stderr.startswith(text)


def test_it_submits_and_follows_to_the_end(walk: Walk) -> None:
    walk.go(0, 1, 2)
    events = walk.said(walk.client("run", json.dumps({"steps": 3, "folder": str(walk.folder)})))
    assert seen_by_client(events) == ["queued", "running", "A0", "A1", "A2", "complete"]
    end = events[-1]["execution"]
    assert end["result"] == 3
    assert [event["text"] for event in events if event["type"] == "log"] == ["step 0", "step 1", "step 2"]
    assert seen_by_python(walk, end["execution_id"]) == seen_by_client(events)


def test_who_comes_late_gets_what_it_missed(walk: Walk) -> None:
    execution = walk.submit(4)
    walk.go(0, 1)
    live = walk.python.events(execution)
    assert any(isinstance(event, ProgressUpdate) and event.axis_id == "A1" for event in live)
    late = walk.client("follow", execution)
    assert late.stdout is not None
    first = [json.loads(late.stdout.readline()) for _ in range(6)]  # two states, two steps, two log lines
    walk.go(2, 3)
    rest = walk.said(late)
    assert seen_by_client(first + rest) == ["queued", "running", "A0", "A1", "A2", "A3", "complete"]
    assert walk.said(walk.client("follow", execution)) == first + rest  # and all of it after the end


def test_it_goes_on_over_a_crash_of_the_server(walk: Walk) -> None:
    execution = walk.submit(3, resumable=True)
    walk.go(0)
    follower = walk.client("follow", execution)
    assert follower.stdout is not None
    lines = [json.loads(follower.stdout.readline()) for _ in range(4)]
    os.kill(walk.python.server.pid, signal.SIGKILL)
    walk.python = walk.connect()
    walk.go(1, 2)
    seen = seen_by_client(lines + walk.said(follower))
    assert seen == ["queued", "running", "A0", "interrupted", "queued", "running", "A1", "A2", "complete"]


def test_it_cancels(walk: Walk) -> None:
    execution = walk.submit(2)
    follower = walk.client("follow", execution)
    (reply,) = walk.said(walk.client("cancel", execution))
    assert (reply["type"], reply["status"]) == ("cancel_report", "ok")
    assert seen_by_client(walk.said(follower))[-1] == "cancelled"


def test_over_tcp_it_needs_a_key_that_the_server_knows(js_walk: Walk) -> None:
    (js_walk.program / "over_tcp.mjs").write_text(OVER_TCP, encoding="utf-8")
    port = PORT + 1
    server = js_walk.connect(port, TransportMode.TCP).server
    keys = KeyStore(ZMQConfig())
    own, stranger = keys.client(), zmq.curve_keypair()
    halves = [keys.server().public.decode(), own.public.decode(), own.secret.decode()]
    pong, *events = js_walk.said(js_walk.client(str(port), *halves, script="over_tcp.mjs"))
    assert pong["pid"] == server.pid
    assert seen_by_client(events) == ["queued", "running", "complete"]
    halves[1:] = [half.decode() for half in stranger]
    refused = js_walk.client(str(port), *halves, script="over_tcp.mjs")
    assert refused.communicate(timeout=END_SECONDS)[0] == ""
    assert refused.returncode == 1


def test_the_module_of_the_page_runs(js_walk: Walk) -> None:
    example = re.findall(r"^```js\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[0]
    payload = json.dumps({"steps": 2, "folder": str(js_walk.folder)})
    text = example.replace("7777", str(PORT)).replace('{ folder: "/tmp", frames: 8 }', payload)
    assert payload in text
    (js_walk.program / "module.mjs").write_text(text, encoding="utf-8")
    js_walk.go(0, 1)
    out, err = js_walk.client(script="module.mjs").communicate(timeout=END_SECONDS)
    assert out.splitlines() == ["queued null", "running null", "A0 100", "A1 100", "complete 2"], err
