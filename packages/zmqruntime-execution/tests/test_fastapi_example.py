"""The FastAPI example: a real server, a real client, and a restart of the service in between."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a socket is handed on by its number")

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


class Service:
    """The service as a process of its own, on a socket that this test has bound."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        number = self._socket.fileno()
        command = ["-m", "uvicorn", "fastapi_service:app", "--fd", str(number), "--log-level", "error"]
        command += ["--timeout-graceful-shutdown", "1"]
        self._process = subprocess.Popen([sys.executable, *command], cwd=EXAMPLES, pass_fds=[number])

    def interrupt(self) -> None:
        """As Ctrl-C in its terminal."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def close(self) -> None:
        self.kill()
        self._socket.close()


@pytest.fixture
def service(isolated_home: Path) -> Iterator[Service]:
    """The service, and the server behind it; both end with the test."""
    service = Service()
    service.start()
    yield service
    service.close()
    left = [each for each in psutil.process_iter() if _home_of(each) == str(isolated_home) and each.pid != os.getpid()]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(left, 30)


def _home_of(process: psutil.Process) -> str:
    try:
        return process.environ().get("HOME", "")
    except (psutil.Error, OSError):
        return ""


def read_events(client: httpx.Client, path: str, after: int = 0) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Server-sent events, each as its number, its kind and its content."""
    fields: dict[str, str] = {}
    with client.stream("GET", f"{path}/events", headers={"Last-Event-ID": str(after)}) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            else:
                yield int(fields["id"]), fields["event"], json.loads(fields["data"])


def test_submit_follow_restart_download_and_cancel(service: Service) -> None:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        assert client.post("/renders", json={"frames": 0}).status_code == 422
        path = f"/renders/{client.post('/renders', json={'frames': 40}).json()['id']}"
        first = []
        for number, kind, _ in read_events(client, path):
            first.append(number)
            if kind == "progress":
                service.interrupt()  # while the client is reading
                break
    service.start()
    with httpx.Client(base_url=service.url, timeout=60) as client:
        rest = list(read_events(client, path, after=first[-1]))
        numbers = [number for number, _, _ in rest]
        assert first[-1] < numbers[0]
        assert numbers == sorted(set(numbers))
        assert rest[-1][1:] == ("state", {"status": "complete", "error": None})
        assert client.get(path).json()["status"] == "complete"
        assert client.get(f"{path}/file").text.splitlines()[-1] == "frame 39"
        slow = f"/renders/{client.post('/renders', json={'frames': 10_000, 'seconds': 0.1}).json()['id']}"
        assert client.get(f"{slow}/file").status_code == 409
        assert client.delete(slow).json() == {"cancelled": True}
        *_, (_, kind, data) = read_events(client, slow)
        assert (kind, data["status"]) == ("state", "cancelled")
        assert client.delete(slow).status_code == 409
        assert client.get("/renders/none-such").status_code == 404
