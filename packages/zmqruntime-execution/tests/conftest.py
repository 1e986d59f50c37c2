"""Every test has a home of its own and leaves nothing behind; servers and clients for them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest

from zmqruntime import ProgressUpdate, ZMQConfig
from zmqruntime.execution import ExecutionClient, InvalidProgressError
from zmqruntime.execution.progress.rules import log_invalid_progress
from zmqruntime.testing import isolated_home, no_leaks

__all__ = ["isolated_home", "no_leaks"]

SERVERS = Path(__file__).with_name("servers.py")
QUICK = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.5)


@pytest.fixture(autouse=True)
def clean(isolated_home: object, no_leaks: None) -> None:
    """Applies both to every test."""


@pytest.fixture
def make_client(isolated_home: Path) -> Iterator[Callable[..., ExecutionClient]]:
    """Makes clients that start and own the server class that is named, from ``servers.py``."""
    made: list[ExecutionClient] = []

    def make(
        server: str = "BenchServer",
        progress_callback: Callable[[ProgressUpdate], None] | None = None,
        persistent: bool = False,
        on_error: Callable[[InvalidProgressError], None] = log_invalid_progress,
        config: ZMQConfig = QUICK,
        **server_options: object,
    ) -> ExecutionClient:
        client = ExecutionClient(
            7777,
            server=f"{SERVERS}:{server}",
            server_options=server_options,
            progress_callback=progress_callback,
            persistent=persistent,
            config=config,
            on_error=on_error,
        )
        made.append(client)
        client.connect()
        return client

    yield make
    for client in made:
        client.disconnect()
    for log in isolated_home.rglob("server.log"):
        print(log.read_text())  # shown when the test failed


@pytest.fixture
def client(make_client: Callable[..., ExecutionClient]) -> ExecutionClient:
    """A client with a server whose tasks do what the tests need."""
    return make_client()


@pytest.fixture
def kill_server() -> Callable[[ExecutionClient], None]:
    """Kills the server of a client and waits until its process has ended."""

    def kill(client: ExecutionClient) -> None:
        assert client.server is not None
        process = psutil.Process(client.server.pid)
        process.kill()
        process.wait(30)

    return kill


@pytest.fixture
def start_command(isolated_home: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts the command ``zmqruntime`` with some arguments, in this test's home."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, stdout: IO[str] | int = subprocess.PIPE) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "zmqruntime.execution.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=isolated_home,
            env={**os.environ, "COLUMNS": "100"},
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:  # closes its pipes and waits
            process.kill()


@pytest.fixture
def command(
    start_command: Callable[..., "subprocess.Popen[str]"],
) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs the command ``zmqruntime`` with some arguments to its end, in this test's home."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        process = start_command(*arguments)
        stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    return run
