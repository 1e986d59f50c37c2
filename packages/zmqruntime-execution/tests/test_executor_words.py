"""What an executor says to wrong options, after its end, and while its server does not answer."""

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import task_functions as functions

from zmqruntime import server_code
from zmqruntime.exceptions import ClosedError, ConfigurationError, UnsendableError, WrongServerError
from zmqruntime.execution import Concurrency, Executor, KeyUsedError, Rate, task
from zmqruntime.execution.executor import argument_files
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.executor.inline import InlineLink
from zmqruntime.messages import ExecuteRequest


@pytest.fixture(scope="module")
def inline() -> Executor:
    """An executor that calls functions in place."""
    return Executor(inline=True)


@pytest.fixture
def executor(isolated_home: Path) -> Iterator[Executor]:
    """An executor whose server ends with it."""
    with Executor("words", max_workers=1, allow_pickle=True, persistent=False) as made:
        yield made


WRONG = [
    ("retries", -1),
    ("retries", True),
    ("backoff", -1),
    ("backoff", float("nan")),
    ("time_limit", 0),
    ("soft_time_limit", float("inf")),
    ("priority", 10**20),
    ("priority", 1.5),
    ("queue", ""),
    ("queue", "a b"),
    ("resources", {"gpu": -1}),
    ("resources", {"a b": 1}),
    ("concurrency", "k"),
    ("concurrency", 0),
    ("rate", "1/1.2.3s"),
    ("rate", "1/400d"),
    ("rate", 3),
    ("env", {"A": 1}),
    ("env", {"A=": "1"}),
    ("cwd", b"/"),
    ("resumable", "no"),
    ("bars", 1),
    ("key", ""),
    ("after", "abcdefgh"),
    ("after", [3]),
    ("after", ["a b"]),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_option_is_named_where_it_is_given(inline: Executor, name: str, value: object) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises((TypeError, ValueError), match=rf"^{name}\b"):
        inline.options(**given)
    if name in ("key", "after"):
        with pytest.raises((TypeError, ValueError), match=f"^{name} "):
            inline.submit(functions.no_op, **given)
    else:
        with pytest.raises((TypeError, ValueError), match=rf"^{name}\b"):
            task(**given)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda do: do.schedule("ti ck", functions.no_op, every=1), "'ti ck' cannot be the name of a schedule"),
        (lambda do: do.schedule("tick", functions.no_op), "either every=.* or cron="),
        (lambda do: do.schedule("tick", functions.no_op, every=0), "^every must be .* from 1"),
        (lambda do: do.schedule("tick", functions.no_op, cron=3), "^cron must be text"),
        (lambda do: do.options(key="k").schedule("tick", functions.no_op, every=1), "cannot share a key"),
        (lambda do: Concurrency("k", most=0), "^most of a Concurrency must be from 1"),
        (lambda do: Rate("k", count=1, seconds=0), "^seconds of a Rate must be above 0"),
        (lambda do: Executor(max_workers=0), "^max_workers must be greater than 0"),
        (lambda do: Executor(cancel_grace=-1), "^cancel_grace must be"),
        (lambda do: Executor(resources={"gpu": -1}), "^resources must be"),
        (lambda do: task(executor="a b"), "'a b' cannot be the name of an executor"),
    ],
)
def test_what_else_is_given_is_checked_at_once(inline: Executor, call: Callable[[Executor], object], text: str) -> None:
    with pytest.raises((TypeError, ValueError, ConfigurationError), match=text):
        call(inline)


def test_the_value_of_a_variable_is_in_no_message(inline: Executor) -> None:
    with pytest.raises(ValueError, match="null byte") as refused:
        inline.options(env={"TOKEN": "secret\0"})
    assert "secret" not in str(refused.value)


def test_options_that_are_given_one_after_the_other_belong_together(inline: Executor) -> None:
    numpy = pytest.importorskip("numpy")
    kept = inline.options(retries=numpy.int64(2), backoff=0).options(retry_on=(OSError,), after=())
    assert kept.submit(functions.identity, 1).result() == 1


def test_a_default_value_is_allowed_whatever_the_hint_says(inline: Executor) -> None:
    implicit: Any = functions.implicit
    assert inline.submit(implicit, None).result() is None
    assert inline.submit(implicit, 1, mode="auto").result() == 1
    with pytest.raises(TypeError, match="argument 'value' of implicit"):
        inline.submit(implicit, "x")


def test_an_object_of_a_generic_dataclass_is_sent(inline: Executor) -> None:
    given = functions.Box[int](3)
    assert inline.submit(functions.identity, given).result() == given


def test_errors_of_a_submission_have_no_traceback_of_the_library_before_them(inline: Executor) -> None:
    wrong: list[tuple[Any, tuple[object, ...]]] = [(3, ()), (functions.identity, (object(),))]
    for fn, args in wrong:
        with pytest.raises((TypeError, UnsendableError)) as refused:
            inline.submit(fn, *args)
        assert refused.value.__cause__ is None
        assert refused.value.__suppress_context__ or refused.value.__context__ is None
    inline.submit(functions.add, 1, key="traced")
    with pytest.raises(KeyUsedError) as used:
        inline.submit(functions.add, 2, key="traced")
    assert used.value.__context__ is None
    unsendable = inline.submit(functions.unsendable).exception()
    assert isinstance(unsendable, UnsendableError)
    assert unsendable.__cause__ is None
    assert "executor/" not in str(inline.submit(functions.fail, "value").snapshot().traceback)


def test_a_file_that_the_server_deletes_meanwhile_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = argument_files.arguments_dir(tmp_path) / "gone.arguments"
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: iter([gone]))
    assert argument_files.store_arguments(tmp_path, "abcdefgh", b"x").length == 1


@pytest.mark.timeout(120)
def test_a_large_function_goes_by_file(executor: Executor) -> None:
    pytest.importorskip("cloudpickle")
    large = os.urandom(2_000_000)
    future = executor.submit(lambda: len(large), key="large")
    assert future.result(90) == len(large)
    stored = executor.client.submission_of(future.execution_id).payload
    assert "pickled" not in stored
    assert "stored" in stored


def test_a_batch_counts_its_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cloudpickle")
    middle, batches, submit = os.urandom(200_000), [], InlineLink.submit

    def noted(link: InlineLink, requests: list[ExecuteRequest], *rest: Any) -> list[TaskFuture[Any]]:
        batches.append(len(requests))
        return submit(link, requests, *rest)

    monkeypatch.setattr(InlineLink, "submit", noted)
    found = Executor(inline=True, allow_pickle=True).map(lambda each: len(middle) + each, [0] * 60)
    assert sum(found) == 60 * len(middle)
    assert batches == [41, 19]  # of 8 MiB at most


@pytest.mark.timeout(120)
def test_after_its_end_and_in_a_child_an_executor_speaks_of_itself(executor: Executor) -> None:
    done = executor.submit(functions.add, 1)
    assert done.result(60) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, which is what this is about
        child = os.fork()
    if not child:
        status = 1
        try:
            for call in (lambda: executor.submit(functions.add, 1), executor.executions):
                with pytest.raises(ClosedError, match="belongs to the parent of this forked process"):
                    call()
            executor.shutdown()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    other = Executor("words", allow_pickle=True)
    other.submit(functions.no_op).result(60)
    other.shutdown()
    for late in (
        lambda: other.submit(functions.no_op),
        lambda: other.future(done.execution_id),
        lambda: other.schedule("late", functions.no_op, every=60),
    ):
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            late()
    with pytest.raises(ClosedError, match="executor 'words' cannot be asked after shutdown"):
        other.executions()


@pytest.mark.timeout(120)
def test_other_options_are_said_at_the_line_of_the_user(executor: Executor, tmp_path: Path) -> None:
    busy = executor.submit(functions.hold, str(tmp_path / "go"))
    try:
        with warnings.catch_warnings(record=True) as caught, Executor("words", max_workers=2) as other:
            warnings.simplefilter("always")
            after = other.submit(functions.add, 1)
            (tmp_path / "go").touch()
            assert after.result(60) == 2
    finally:
        (tmp_path / "go").touch()
    assert busy.result(60) == "let go"
    said = [each for each in caught if issubclass(each.category, RuntimeWarning)]
    assert [each.filename for each in said] == [__file__]
    assert "runs 1 function at the same time, not 2" in str(said[0].message)
    assert "zmqruntime stop --executor words" in str(said[0].message)


@pytest.mark.timeout(120)
def test_another_environment_is_told_with_the_name(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    executor.submit(functions.no_op).result(60)
    monkeypatch.setattr(server_code, "_environment", lambda: "/another/venv")
    with (
        Executor("words") as other,
        pytest.raises(WrongServerError, match="use another name in one of the two") as wrong,
    ):
        other.submit(functions.no_op)
    assert "executor 'words'" in str(wrong.value)
    assert "/another/venv" in str(wrong.value)
    assert wrong.value.__suppress_context__


class _Heard(logging.Handler):
    """Waits for a line in the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.has_come = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Note a line."""
        self.lines.append(record.getMessage())
        self.has_come.set()


@pytest.mark.timeout(120)
def test_a_server_that_does_not_answer_is_said_once(executor: Executor) -> None:
    executor.submit(functions.no_op).result(60)
    heard, log = _Heard(), logging.getLogger("zmqruntime.execution.executor.link")
    log.addHandler(heard)
    process = psutil.Process(executor.client.server.pid)
    process.suspend()
    try:
        waiting = threading.Thread(target=executor.submit, args=(functions.no_op,))
        waiting.start()
        assert heard.has_come.wait(60)
    finally:
        process.resume()
        waiting.join(60)
        log.removeHandler(heard)
    assert "Executor 'words': No answer" in heard.lines[0]
    assert "still waiting" in heard.lines[0]
