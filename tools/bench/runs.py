"""A run of the benchmarks as it is kept: the figures of every script, and where and with what they were measured."""

from pathlib import Path

import msgspec
from figures import Figure

DOCS = Path(__file__).resolve().parents[2] / "docs"
README = DOCS.parent / "README.md"
STORED = DOCS / "benchmarks.json"


class Machine(msgspec.Struct, frozen=True):
    """Where. `load` is the average of the minute before."""

    processor: str
    cores: int
    memory_gb: int
    system: str
    python: str
    load: float


class Part(msgspec.Struct, frozen=True):
    """What one script has measured; `failure` says why that is not all."""

    script: str
    what: str
    seconds: float
    figures: list[Figure]
    failure: str = ""


class Run(msgspec.Struct, frozen=True):
    """All of it."""

    date: str
    quick: bool
    machine: Machine
    versions: dict[str, str]
    parts: list[Part]


def read(path: Path) -> Run:
    """A run from a file.

    Raises:
        OSError: it cannot be read.
        msgspec.ValidationError: it is no run.
    """
    return msgspec.json.decode(path.read_bytes(), type=Run)


def write(run: Run, path: Path) -> None:
    """To a file, in lines that a diff can show."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
