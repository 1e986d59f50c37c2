"""The page of ``zmqruntime web`` as a program sees it: who may ask, what it answers, and its live events."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from zmqruntime import ExecutionStatus, ZMQConfig
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.clean import clean, clean_line
from zmqruntime.execution.cli.commands.web import find_places
from zmqruntime.execution.cli.discovery import ServerState, find_servers
from zmqruntime.execution.events.log_files import log_dir
from zmqruntime.execution.executor.values import Values
from zmqruntime.execution.testing import EventScript
from zmqruntime.execution.web import event_response
from zmqruntime.execution.web.cursor import START, Cursor
from zmqruntime.execution.web.event_response import EventResponse
from zmqruntime.execution.web.follow import KEPT_LINES, Follow
from zmqruntime.execution.web.places import PlaceState
from zmqruntime.execution.web.results import as_json, summary_of
from zmqruntime.execution.web.serve import PageServer
from zmqruntime.execution.web.settings import WebSettings
from zmqruntime.execution.web.topics import Topic
from zmqruntime.messages import LogLevel, LogLine
from zmqruntime.standing import SILENT_WORDS

SERVER = "zmqruntime:7777"
ODD = "<b>&\x1b[31mred\x1b[0m\x07\u202e"
SECONDS = 60


class Reader:
    """Reads the events of a page, as a browser does."""

    def __init__(self, port: int, execution: str = "", after: str = "", query: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        headers = {"Last-Event-ID": after} if after else {}
        subject = f"server={SERVER}&execution={execution}" if execution else query or f"server={SERVER}"
        self._connection.request("GET", f"/api/events?{subject}", headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        self.last_id = after
        self.lines: list[str] = []

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._answer.close()
        self._connection.close()

    def until(self, kind: str, wanted: Callable[[Any], bool]) -> Any:
        """Read up to a message; keeps the texts of the log."""
        fields: dict[str, str] = {}
        while True:
            line = self._answer.readline().decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
                continue
            if "data" in fields:
                data = json.loads(fields["data"])
                self.last_id = fields.get("id", self.last_id)
                if fields["event"] == "execution":
                    self.lines += [row[5] for row in data["log"]]
                if fields["event"] == kind and wanted(data):
                    return data
            fields = {}


@contextlib.contextmanager
def served(settings: WebSettings | None = None) -> Iterator[PageServer]:
    """The page, from a thread of this process."""
    page = PageServer(find_places, settings or WebSettings.safe(port=0), [])
    thread = threading.Thread(target=page.run)
    thread.start()
    try:
        yield page
    finally:
        page.stop()
        thread.join()


def ask(port: int, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body)
        connection.request("GET" if data is None else "POST", path, data, sent)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def has_status(status: str) -> Callable[[Any], bool]:
    return lambda update: update["head"]["row"]["status"] == status


def test_page_shows_what_a_server_runs_and_misses_nothing(client: ExecutionClient, tmp_path: Any) -> None:
    """A lost connection and another web process go on where the page was."""
    go = tmp_path / "go"
    running = client.submit({"do": "resumable_until", "file": str(go)}, plate_id=ODD)
    waiting = client.submit({"do": "nothing", "value": {"loss": 0.5, "text": ODD}}, plate_id="second")
    with served() as page:
        port = page.settings.port
        with Reader(port) as reader:
            reader.until("servers", lambda servers: [one["key"] for one in servers] == [SERVER])
            states: dict[str, str] = {}

            def is_known(update: Any) -> bool:
                states.update((row["id"], row["status"]) for row in update["rows"])
                return states == {running: "running", waiting: "queued"}

            reader.until("server", is_known)
        with Reader(port, running) as reader:
            reader.until("execution", lambda update: len(reader.lines) >= 3)
            name = reader.until("execution", lambda update: True)["head"]["row"]["name"]
            assert name == "<b>&red\u2407\ufffd"
            first, known = reader.lines, reader.last_id
        with Reader(port, running, known) as reader:
            reader.until("execution", lambda update: bool(update["log"]))
            second, known = reader.lines, reader.last_id
    with served() as page, Reader(page.settings.port, running, known) as reader:
        reader.until("execution", lambda update: bool(update["log"]) and not update["reset"])
        go.touch()
        reader.until("execution", has_status("complete"))
        texts = first + second + reader.lines
        assert texts == [f"line {number + 1}" for number in range(len(texts))]
        assert client.wait(running, SECONDS).result == len(texts)
        _check_answers(page.settings.port, waiting, running, client)


def _check_answers(port: int, ended: str, other: str, client: ExecutionClient) -> None:
    """History in pages, search, results and the log of an execution that has ended."""
    client.wait(ended, SECONDS)
    root = f"/api/servers/{SERVER}"
    first = json.loads(ask(port, f"{root}/history?limit=1")[2])
    for wrong in ("-1", "abc", "0", "201", ""):
        status, _, body = ask(port, f"{root}/history?limit={wrong}")
        assert (status, json.loads(body)["error"]) == (400, "limit must be a whole number from 1 to 200")
    assert [row["id"] for row in first["rows"]] == [ended]
    rest = json.loads(ask(port, f"{root}/history?limit=5&older_than={first['older_than']}")[2])
    assert [row["id"] for row in rest["rows"]] == [other]
    assert not rest["more"]
    found = json.loads(ask(port, f"{root}/history?text=SECOND")[2])
    assert [row["id"] for row in found["rows"]] == [ended]
    assert [row["id"] for row in json.loads(ask(port, f"{root}/history?text={other}")[2])["rows"]] == [other]
    status, headers, body = ask(port, f"{root}/executions/{ended}/result?format=msgpack")
    assert (status, msgspec.msgpack.decode(body)) == (200, {"loss": 0.5, "text": ODD})
    assert headers["content-disposition"] == f'attachment; filename="{ended[:12]}.msgpack"'
    assert json.loads(ask(port, f"{root}/executions/{ended}/result?format=json")[2]) == {"loss": 0.5, "text": ODD}
    summary = json.loads(ask(port, f"{root}/executions/{ended}/summary")[2])
    assert summary["rows"] == [["loss", "0.5"], ["text", "<b>&red\u2407\ufffd"]]
    with (log_dir(ZMQConfig(), 7777) / f"{other}.log").open("a") as log:
        log.write(f"{ODD}\n")
    said = ask(port, f"{root}/executions/{other}/log")[2].decode()
    assert "line 1\n" in said
    assert said.endswith("<b>&red\u2407\ufffd\n")
    assert ask(port, f"{root}/executions/..%2f..%2fkeys/log")[0] == 404
    assert ask(port, "/api/servers/nobody:1/history")[0] == 404


def test_page_refuses_strangers(client: ExecutionClient) -> None:
    """Other names of this machine, other sites, and actions where they are not allowed."""
    with served() as page:
        port = page.settings.port
        status, headers, _ = ask(port, "/")
        assert status == 200
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert ask(port, "/static/../app.py")[0] == 404
        assert ask(port, "/", Host="evil.example")[0] == 421
        assert ask(port, "/", Host=f"localhost:{port}")[0] == 200
        assert ask(port, "/api/session", Origin="http://evil.example")[0] == 403
        assert ask(port, "/api/session", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
        action = {"action": "pause"}
        status, _, body = ask(port, f"/api/servers/{SERVER}/actions", action, Content_Type="application/json")
        assert status == 403
        assert "--allow-actions" in json.loads(body)["error"]
    assert not client.status().paused


def test_actions_need_token_and_secret_of_the_page(client: ExecutionClient, tmp_path: Any) -> None:
    """The token is exchanged for a cookie, and another site has neither the cookie nor the secret."""
    settings = WebSettings.safe(port=0, allow_actions=True)
    go = tmp_path / "go"
    running = client.submit({"do": "resumable_until", "file": str(go)})
    with served(settings) as page:
        port, root = page.settings.port, f"/api/servers/{SERVER}/actions"
        assert page.url == f"http://127.0.0.1:{port}/?token={settings.token}"
        assert ask(port, "/")[0] == ask(port, "/?token=wrong")[0] == ask(port, "/static/main.js")[0] == 401
        status, headers, _ = ask(port, f"/?token={settings.token}")
        assert (status, headers["location"]) == (303, "/")
        assert "httponly" in headers["set-cookie"].lower()
        assert "samesite=strict" in headers["set-cookie"].lower()
        assert settings.token not in headers["set-cookie"]
        cookie = headers["set-cookie"].partition(";")[0]
        session = json.loads(ask(port, "/api/session", Cookie=cookie)[2])
        known = {"Cookie": cookie, "Content_Type": "application/json", "X_CSRF_Token": session["csrf"]}
        cancel = {"action": "cancel", "execution": running}
        assert ask(port, root, cancel, **{**known, "X_CSRF_Token": "guessed"})[0] == 403
        assert ask(port, root, cancel, **{**known, "Content_Type": "text/plain"})[0] == 415
        assert ask(port, root, cancel, **{**known, "Origin": "http://evil.example"})[0] == 403
        assert ask(port, root, {"action": "shutdown"}, **known)[0] == 400
        for action in ("pause", "resume"):
            assert ask(port, root, {"action": action, "queue": "nope"}, **known)[0] == 404
        assert [queue.name for queue in client.status(0).queues] == ["default"]
        assert client.snapshot_of(running).status is not ExecutionStatus.CANCELLED
        assert ask(port, root, cancel, **known)[0] == 200
        assert client.wait(running, SECONDS).status is ExecutionStatus.CANCELLED
        go.touch()
        again = json.loads(ask(port, root, {"action": "retry", "execution": running}, **known)[2])["execution"]
        assert client.wait(again, SECONDS).status is ExecutionStatus.COMPLETE


def test_silent_server_is_not_dead_and_dead_one_shows_what_it_left(
    make_client: Callable[..., ExecutionClient], isolated_home: Path
) -> None:
    client = make_client(persistent=True)
    ended = client.submit({"do": "count", "upto": 3}, plate_id="kept")
    client.wait(ended, SECONDS)
    pid = client.server.pid
    with served() as page, Reader(page.settings.port) as reader:
        reader.until("server", lambda update: update["state"] == PlaceState.RUNNING)
        os.kill(pid, signal.SIGSTOP)
        try:
            silent = reader.until("server", lambda update: update["state"] != PlaceState.RUNNING)
            assert silent["state"] == PlaceState.SILENT
            assert SILENT_WORDS in silent["trouble"]
            assert 0 < silent["heard"] <= time.time()
            (found,) = find_servers()
            assert found.state is ServerState.SILENT
            assert SILENT_WORDS in found.trouble
        finally:
            os.kill(pid, signal.SIGCONT)
        reader.until("server", lambda update: update["state"] == PlaceState.RUNNING)
        os.kill(pid, signal.SIGKILL)
        left = reader.until("server", lambda update: update["state"] == PlaceState.ENDED and update["from_disk"])
        assert left["trouble"] == ""
        with Reader(page.settings.port, ended) as other:
            update = other.until("execution", has_status("complete"))
            assert [axis[:2] for axis in update["axes"]] == [["A01", "complete"]]
        summary = ask(page.settings.port, f"/api/servers/{SERVER}/executions/{ended}/summary")[2]
        assert json.loads(summary)["rows"] == [["value", "3"]]
    for path in isolated_home.rglob("*.sock"):
        path.unlink()  # of the server that was killed


def test_database_that_cannot_be_read_is_not_empty(isolated_home: Path) -> None:
    path = ZMQConfig().server_dir(7777) / "executions.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database" * 100)
    (isolated_home / ".zmqruntime" / "ipc").mkdir(parents=True)
    with served() as page, Reader(page.settings.port) as reader:
        update = reader.until("server", lambda update: bool(update["trouble"]))
        assert (update["state"], update["is_known"]) == (PlaceState.ENDED, False)
        assert str(path) in update["trouble"]


def test_pages_are_bounded(isolated_home: object) -> None:
    settings = WebSettings(port=0, most_pages=1)
    with served(settings) as page:
        port = page.settings.port
        with Reader(port, query="x=1") as reader:
            reader.until("servers", lambda servers: servers == [])
            status, headers, body = ask(port, "/api/events")
            assert (status, headers["retry-after"]) == (503, "10")
            assert "close some of them" in json.loads(body)["error"]


def test_reader_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its messages end, and its place is free again."""
    monkeypatch.setattr(event_response, "SEND_SECONDS", 0.05)
    said: list[str] = []

    async def messages() -> Any:
        try:
            while True:
                yield b": more\n\n"
        finally:
            said.append("closed")

    @contextlib.contextmanager
    def counted() -> Iterator[None]:
        yield
        said.append("counted")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "state": {"cut": lambda: said.append("cut")}}
    asyncio.run(EventResponse(b"first", messages(), counted)(scope, receive, send))
    assert said[0] == "cut"
    assert said[-1] == "counted"


def log_line(sequence: int) -> LogLine:
    return LogLine(
        execution_id="e", sequence=sequence, timestamp=1.0, level=LogLevel.INFO, logger="task", text=str(sequence)
    )


def test_page_that_was_away_gets_the_difference() -> None:
    follow = Follow(Topic())
    script = EventScript().run().prepare("A01", "A02", "A03").start("A01", "A02")
    follow.apply(script.events)
    follow.apply([log_line(number) for number in range(1, 4)])
    everything = follow.since(START)
    assert everything.reset
    assert [axis[:2] for axis in everything.axes] == [("A01", "running"), ("A02", "running"), ("A03", "waiting")]
    assert [row[5] for row in everything.log] == ["1", "2", "3"]
    known = follow.cursor
    assert (follow.since(known).axes, follow.since(known).log) == ([], [])
    follow.apply(script.finish("A02").events[-1:])
    follow.apply([log_line(4), log_line(0), log_line(0)])
    news = follow.since(known)
    assert not news.reset
    assert [axis[0] for axis in news.axes] == ["A02"]
    assert [row[0] for row in news.log] == ["4", "n1", "n2"]
    follow.apply([log_line(number) for number in range(5, 5 + 2 * KEPT_LINES)])
    late = follow.since(known)
    assert (len(late.log), late.skipped) == (KEPT_LINES, KEPT_LINES + 1)
    assert follow.since(Cursor(progress=10_000)).reset
    assert Cursor.parse(str(follow.cursor)) == follow.cursor
    assert Cursor.parse("p1l2s3n\u0664") == Cursor.parse("") == START


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil.example\x07link\x1b]8;;\x1b\\", "link"),
        ("a\x00b\x7fc\x9bd", "a\u2400b\u2421c\ufffdd"),
        ("abc\u202egnp.exe", "abc\ufffdgnp.exe"),
        ("two\r\nlines\tand a tab", "two\nlines\tand a tab"),
        ("<script>&amp;", "<script>&amp;"),
        ("\x1b[" * 10_000, "[" * 0),
    ],
)
def test_texts_are_cleaned(text: str, shown: str) -> None:
    assert clean(text, 40_000).replace("\u241b", "").replace("[", "") == shown.replace("[", "")
    assert len(clean_line("x" * 1000, 10)) <= 12


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("localhost:1", True),
        ("127.0.0.1", True),
        ("[::1]:8790", True),
        ("192.168.1.5:8790", True),
        ("lab.example", True),
        ("evil.example:8790", False),
        ("", False),
    ],
)
def test_host_names(host: str, is_known: bool) -> None:
    assert WebSettings(hosts=("Lab.example",)).knows_host(host) == is_known


def test_token_is_needed_beyond_this_machine() -> None:
    assert not WebSettings.safe().token
    assert len(WebSettings.safe("0.0.0.0").token) > 20
    assert WebSettings.safe(token=True).token
    assert WebSettings.safe(allow_actions=True).token


def test_results_are_shown_by_their_parts() -> None:
    assert json.loads(as_json({"a": [1, 2.5, None, "é"]})) == {"a": [1, 2.5, None, "é"]}
    summary = summary_of({"other": msgspec.msgpack.Ext(99, b"abcd"), "many": list(range(100))})
    assert summary.rows == (("other", "extension type 99, 4 bytes"), ("many", "list of 100 values"))
    assert summary_of(Values().to_wire({1: (2, 3)})).rows == (("1", "(2, 3)"),)
