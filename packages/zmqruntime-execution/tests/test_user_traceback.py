"""Of an error in a task, only the calls of the task's own code are told."""

from collections.abc import Callable

import pytest

from zmqruntime.codec import pack_given
from zmqruntime.execution.executor.functions import resolve
from zmqruntime.execution.user_traceback import user_traceback


class Call:
    """Calls a function from a module that counts as one of this library."""

    def __init__(self) -> None:
        space = {"__name__": "zmqruntime.of_a_test"}
        exec("def call(function, *args): return function(*args)", space)
        self.call: Callable[..., object] = space["call"]  # type: ignore[assignment]


def fail() -> None:
    raise KeyError("of the task")


def fail_after_another() -> None:
    try:
        pack_given(object(), "it", max_bytes=1)
    except TypeError:
        fail()


def fail_because() -> None:
    raise OSError("in turn") from ValueError("never raised")


def told(function: Callable[..., object], *args: object) -> str | None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any
        Call().call(function, *args)
    assert caught.value.__traceback__ is not None
    return user_traceback(caught.value.with_traceback(caught.value.__traceback__.tb_next))


def test_a_traceback_begins_with_the_code_of_the_task() -> None:
    text = told(fail) or ""
    assert text.startswith("Traceback (most recent call last):")
    assert ("of the task" in text, "in call" in text, text.count("File")) == (True, False, 1)
    text = told(fail_after_another) or ""
    assert ("During handling" in text, "in pack_given" in text) == (True, True)
    assert "never raised" in (told(fail_because) or "")


def test_an_error_without_code_of_the_task_has_no_traceback() -> None:
    assert told(lambda: None, 1) is None
    assert told(resolve, "not_there:f") is None
