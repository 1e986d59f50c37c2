"""Functions that the tests of the executor run in workers."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from zmqruntime.execution import Executor, current_task, task

__all__ = [
    "Box",
    "Odd",
    "Plain",
    "Slotted",
    "add",
    "close_all",
    "close_output",
    "fail",
    "flaky",
    "hinted",
    "hold",
    "identity",
    "implicit",
    "keyed",
    "leave",
    "no_op",
    "pid",
    "reporting",
    "scaled",
    "stubborn",
]


T = TypeVar("T")


@dataclass
class Box(Generic[T]):
    """A generic dataclass."""

    value: T


class Odd(Exception):
    """An error whose constructor does not take what it hands on."""

    def __init__(self, code: int, *, why: str) -> None:
        super().__init__(f"odd {code}")
        self.why = why


class Slotted(Exception):
    """An error that keeps what it knows in a slot."""

    __slots__ = ("code",)

    def __init__(self, code: int) -> None:
        super().__init__(f"slotted {code}")
        self.code = code


def add(a: int, b: int = 1) -> int:
    """Adds."""
    return a + b


def no_op(value: object = None) -> None:
    """Does nothing."""


def identity(value: object) -> object:
    """Returns its argument."""
    return value


def leave(how: str) -> None:
    """Raises what is not an error."""
    raise SystemExit(3) if how == "exit" else KeyboardInterrupt


def reporting() -> str:
    """Logs a line and returns the id of its execution."""
    current_task().log.info("a line")
    return current_task().execution_id


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
    if kind == "slots":
        raise Slotted(4)
    if kind == "cause":
        raise Slotted(5) from ZeroDivisionError("first")
    if kind == "group":
        raise ExceptionGroup("both", [Slotted(6), ExceptionGroup("inner", [KeyError("k")])])
    raise ValueError(kind)


def close_all(path: str) -> None:
    """Closes all descriptors that it has not opened, and waits for a file."""
    os.closerange(3, 200)
    while not Path(path).exists():
        time.sleep(0.01)


def close_output() -> tuple[int, float]:
    """Closes its output; returns the process id and how much the process has computed in the half second after that."""
    os.close(1)
    os.close(2)
    began = time.process_time()
    time.sleep(0.5)
    return os.getpid(), time.process_time() - began


def pid() -> int:
    """Returns the worker's process id."""
    return os.getpid()


def hold(path: str) -> str:
    """Says that it runs, also by a file, and waits until a file is there or it is asked to stop."""
    print(os.getpid())
    Path(f"{path}.runs").touch()
    while not Path(path).exists():
        current_task().check_cancelled()
        time.sleep(0.01)
    return "let go"


def stubborn(path: str = "") -> None:
    """Says that it runs, also by a file if one is given, and does not look whether it is to stop."""
    print(os.getpid())
    if path:
        Path(path).touch()
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


def keyed(key: str) -> str:
    """Has a parameter that submit has, too."""
    return key


class Plain:
    """Not a type whose values are sent."""

    def method(self) -> None:
        """Of an object."""


def hinted(counts: list[int], mode: Literal["x", "y"] = "x", *, path: "Path | None" = None) -> int:
    """Has hints that are checked."""
    return sum(counts)


def implicit(value: int = None, mode: int = "auto") -> object:  # type: ignore[assignment]  # noqa: RUF013
    """Has defaults that its hints do not say, as many functions have."""
    return value


async def coroutine() -> None:
    """Cannot be called in a worker."""


def unsendable() -> object:
    """Returns what cannot be sent."""
    return object()


def asked_to_stop() -> None:
    """Is asked to stop, and does."""
    current_task().request_cancel()
    current_task().check_cancelled()


_calls: list[int] = []


def flaky() -> str:
    """Fails in its first two calls."""
    _calls.append(1)
    if len(_calls) < 3:
        raise OSError("not yet")
    return "at last"


def length(data: bytes) -> int:
    """Counts bytes."""
    return len(data)


def wait_for_another(name: str) -> object:
    """Wait for an execution of the executor that this one is from, which never starts if there is one worker."""
    return Executor(name).submit(no_op).result()


def fork_and_go_on(way: str, log: str) -> str:
    """Fork; parent and child both come out of the function, by a return or by an error."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    with open(log, "a") as file:
        file.write(f"{way} {'parent' if child else 'child'}\n")
    if not child and way != "return":
        raise SystemExit(3) if way == "exit" else ValueError("in the child")
    return way


def add_line(text: str, log: str) -> str:
    """Append a line to a file."""
    with open(log, "a") as file:
        file.write(f"{text}\n")
    return text
