"""Functions that the tests of the executor run in workers."""

import os
import time
from pathlib import Path

from zmqruntime.execution import current_task, task

__all__ = ["Odd", "add", "fail", "identity", "no_op", "pid", "scaled", "trained"]


class Odd(Exception):
    """An error whose constructor does not take what it hands on."""

    def __init__(self, code: int, *, why: str) -> None:
        super().__init__(f"odd {code}")
        self.why = why


def add(a: int, b: int = 1) -> int:
    """Adds."""
    return a + b


def no_op(value: object = None) -> None:
    """Does nothing."""


def identity(value: object) -> object:
    """Returns its argument."""
    return value


def fail(kind: str) -> None:
    """Raises an error of one of several types."""
    if kind == "odd":
        raise Odd(3, why="it is")
    if kind == "os":
        open("/nowhere/at/all").close()
    if kind == "local":

        class Local(Exception):
            pass

        raise Local("not importable")
    raise ValueError(kind)


def pid() -> int:
    """Returns the worker's process id."""
    return os.getpid()


def hold(path: str) -> str:
    """Says that it runs, by a file, and waits until another file is there or it is asked to stop."""
    Path(path).with_suffix(".runs").write_text(str(os.getpid()))
    while not Path(path).exists():
        current_task().check_cancelled()
        time.sleep(0.01)
    return "let go"


def stubborn(path: str) -> None:
    """Says that it runs, and does not look whether it is to stop."""
    Path(path).write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)


@task(executor="decorated", priority=2)
def scaled(value: float, factor: float = 2.0) -> float:
    """A function with options."""
    return value * factor


@task
def trained(rate: float) -> float:
    """A function with default options."""
    return rate / 2
