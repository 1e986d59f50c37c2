"""Types whose values the tests of the executor send."""

import dataclasses
import enum
from typing import NamedTuple

import msgspec

__all__ = ["Level", "Mode", "Point", "Slotted", "Span", "Tagged"]


class Level(enum.IntEnum):
    """An enum of numbers."""

    LOW = 1
    HIGH = 2


class Mode(enum.Flag):
    """An enum whose members combine."""

    READ = 1
    WRITE = 2


@dataclasses.dataclass(frozen=True)
class Point:
    """A frozen dataclass with a default."""

    x: float
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("never called where a value is restored")


@dataclasses.dataclass(slots=True)
class Slotted:
    """A dataclass with slots that holds another one."""

    point: Point
    level: Level


class Span(NamedTuple):
    """A named tuple."""

    first: int
    last: int


class Tagged(msgspec.Struct):
    """A struct."""

    name: str
    when: object = None
