"""Pytest plug-in with fixtures for tests of tasks: a server in a temporary home, an executor on it, and one in place.

It is a module of its own, outside ``zmqruntime``, because pytest imports it in every test run of an environment: it
imports nothing of the runtime until a fixture is used.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from zmqruntime.execution import Executor
    from zmqruntime.execution.testing import TaskServer

__all__ = ["inline_executor", "task_executor", "task_server"]


@pytest.fixture(scope="session")
def _shared_task_server() -> "Iterator[TaskServer]":
    from zmqruntime.execution.testing import TaskServer  # noqa: PLC0415  only for tests that use it

    with TaskServer() as server:
        yield server


@pytest.fixture
def task_server(_shared_task_server: "TaskServer", monkeypatch: pytest.MonkeyPatch) -> "Iterator[TaskServer]":
    """Servers in a temporary home, which is that of the test, too; whatever the test leaves unfinished is cancelled.

    The servers keep running between tests; they end with the session. Keys, and what ``Executor.executions()`` returns,
    are those of the test.
    """
    from zmqruntime.execution.testing import executors_apart  # noqa: PLC0415  only for tests that use it

    for name, value in _shared_task_server.environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    with executors_apart():
        yield _shared_task_server
        _shared_task_server.cancel_all()


@pytest.fixture
def task_executor(task_server: "TaskServer") -> "Iterator[Executor]":
    """An executor whose server is in a temporary home."""
    with task_server.executor() as executor:
        yield executor
        task_server.cancel_all()


@pytest.fixture
def inline_executor() -> "Iterator[Executor]":
    """An executor that runs each function in place, without a server; so do all executors of the code under test."""
    from zmqruntime.execution import Executor  # noqa: PLC0415  only for tests that use it
    from zmqruntime.execution.testing import inline_executors  # noqa: PLC0415

    with inline_executors(), Executor() as executor:
        yield executor
