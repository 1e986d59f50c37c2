"""A stored run of the benchmarks: the figures of every script, the machine and the versions."""

from pathlib import Path

import msgspec
from figures import Figure

DOCS = Path(__file__).resolve().parents[2] / "docs"
README = DOCS.parent / "README.md"
STORED = DOCS / "benchmarks.json"


class Machine(msgspec.Struct, frozen=True):
    """The machine. `load` is the load average of the minute before the run."""

    processor: str
    cores: int
    memory_gb: int
    system: str
    python: str
    load: float


class Part(msgspec.Struct, frozen=True):
    """The figures of one script; `failure` says why they are incomplete."""

    script: str
    what: str
    seconds: float
    figures: list[Figure]
    failure: str = ""


class Run(msgspec.Struct, frozen=True):
    """The whole run."""

    date: str
    quick: bool
    machine: Machine
    versions: dict[str, str]
    parts: list[Part]


def read(path: Path) -> Run:
    """Read a run from a file.

    Raises:
        OSError: the file cannot be read.
        msgspec.ValidationError: it does not contain a run.
    """
    return msgspec.json.decode(path.read_bytes(), type=Run)


def write(run: Run, path: Path) -> None:
    """Write a run to a file, with line breaks for readable diffs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
