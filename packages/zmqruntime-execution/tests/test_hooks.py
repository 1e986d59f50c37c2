"""Notices at the end: a command, a webhook and an entry point, and that none of them holds up the server."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from zmqruntime import ConfigurationError
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.server.hooks import EndNotices

MakeClient = Callable[..., ExecutionClient]


@pytest.fixture
def posted() -> Iterator[tuple[str, list[dict[str, object]], threading.Event]]:
    """An HTTP server that refuses the first request; its address, what was posted, and an event for that."""
    documents: list[dict[str, object]] = []
    arrived = threading.Event()
    tries: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            tries.append(1)
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200 if len(tries) > 1 else 503)
            self.end_headers()
            if len(tries) > 1:
                documents.append(body)
                arrived.set()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/ended", documents, arrived
        server.shutdown()
        thread.join()


def test_all_of_them_are_told_and_a_failing_one_is_in_the_log(
    make_client: MakeClient,
    isolated_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    posted: tuple[str, list[dict[str, object]], threading.Event],
) -> None:
    url, documents, arrived = posted
    package = isolated_home / "hook-1.0.dist-info"
    package.mkdir()
    (package / "entry_points.txt").write_text("[zmqruntime.on_end]\nbroken = hookmod:broken\ngood = hookmod:good\n")
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: hook\nVersion: 1.0\n")
    (isolated_home / "hookmod.py").write_text(
        "from pathlib import Path\n"
        "def broken(snapshot):\n    raise RuntimeError('no mail today')\n"
        f"def good(snapshot):\n    Path({str(isolated_home / 'good')!r}).write_text(snapshot.name)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(isolated_home))
    script = "import os, sys; open('by-command', 'w').write(os.environ['ZMQRUNTIME_STATUS'] + sys.stdin.read())"
    monkeypatch.chdir(isolated_home)
    client = make_client(on_end_command=[sys.executable, "-c", script], on_end_webhook=url)
    done = client.wait(client.submit({"value": 7}, name="seven"), 30)
    assert arrived.wait(60)
    client.shutdown_server()
    assert [(each["execution_id"], each["result"]) for each in documents] == [(done.execution_id, 7)]
    assert (isolated_home / "good").read_text() == "seven"
    status, _, document = (isolated_home / "by-command").read_text().partition("{")
    assert (status, json.loads("{" + document)["name"]) == ("complete", "seven")
    (log,) = isolated_home.rglob("server.log")
    assert "RuntimeError: no mail today" in log.read_text()


def test_one_that_hangs_holds_nothing_up(make_client: MakeClient) -> None:
    client = make_client(on_end_command=[sys.executable, "-c", "import signal; signal.pause()"])
    for number in range(3):
        assert client.wait(client.submit({"value": number}), 30).result == number
    client.shutdown_server(timeout=30)


@pytest.mark.parametrize(("command", "webhook", "text"), [("'", "", "is not a command"), ("", "ftp://a", "http://")])
def test_what_cannot_be_told_is_refused(command: str, webhook: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        EndNotices.of(command, webhook)
