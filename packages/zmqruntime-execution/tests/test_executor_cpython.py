"""CPython's own tests of executors, where they are installed (``test.test_concurrent_futures``), with ours.

Those of ``FutureTests`` are about the base class, and those of thread and process pools about these. Of the others,
``LEFT_OUT`` names those that do not apply to an executor whose executions outlive the program, and says why.
"""

import importlib
import shutil
import tempfile
import unittest
from collections.abc import Iterator
from typing import Any

import pytest

from zmqruntime.execution import Executor

LEFT_OUT = {
    "test_interpreter_shutdown": "a program does not wait at its end: what it has submitted goes on without it",
    "test_submit_after_interpreter_shutdown": "the executor can submit until it is shut down",
    "test_hang_gh83386": "what a function prints goes to the log of its execution",
}
PLACES = {
    "ExecutorTest": "executor",
    "ExecutorShutdownTest": "test_shutdown",
    "WaitTests": "test_wait",
    "AsCompletedTests": "test_as_completed",
}


class SharedExecutor(Executor):
    """One server for all tests."""

    def __init__(self, max_workers: int | None = None) -> None:
        super().__init__("cpython", max_workers=max_workers, allow_pickle=True)


def classes() -> list[tuple[Any, Any]]:
    """Return the test classes with the mix-in that makes an executor; none where the tests are not installed."""
    try:
        found = importlib.import_module("test.test_concurrent_futures")
    except ImportError:
        return []
    is_package = hasattr(found, "__path__")
    if not is_package:
        return [(getattr(found, name), found.ExecutorMixin) for name in PLACES]
    mixin = importlib.import_module("test.test_concurrent_futures.util").ExecutorMixin
    modules = {name: importlib.import_module(f"test.test_concurrent_futures.{place}") for name, place in PLACES.items()}
    return [(getattr(module, name), mixin) for name, module in modules.items()]


def cases() -> list[Any]:
    """Return one test case for each test that applies."""
    made = []
    for tests, mixin in classes():
        case = type(tests.__name__, (mixin, tests, unittest.TestCase), {"executor_type": SharedExecutor})
        names = unittest.TestLoader().getTestCaseNames(case)
        made += [pytest.param(case, name, id=f"{tests.__name__}.{name}") for name in names if name not in LEFT_OUT]
    return made


@pytest.fixture(autouse=True)
def clean() -> None:
    """Not each of these tests has a home and a server of its own, see :func:`shared_home`."""


@pytest.fixture(scope="module", autouse=True)
def shared_home() -> Iterator[None]:
    """A home with a server for all of them."""
    home = tempfile.mkdtemp(prefix="zr")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", home)
        with Executor("cpython", max_workers=5, allow_pickle=True) as executor:
            executor.submit(abs, 1).result(120)
            yield
            executor.client.shutdown_server()
    shutil.rmtree(home)


@pytest.mark.skipif(not classes(), reason="CPython's tests are not installed (Debian: libpython3-testsuite)")
@pytest.mark.parametrize(("case", "name"), cases())
def test_of_cpython(case: Any, name: str) -> None:
    result = case(name).run(unittest.TestResult())
    problems = [text for _, text in (*result.errors, *result.failures)]
    assert not problems, problems[0]
