"""A recorded run of the programs in peers/: what each needs, what it has shown, how fast, and where."""

from pathlib import Path

import msgspec
from figures import Figure
from peer_programs import Job, Library
from runs import DOCS, Machine

RECORDED = DOCS / "peers.json"


class Entry(msgspec.Struct, frozen=True):
    """A program that does its job; `remark` says what its run has shown beyond that."""

    library: Library
    job: Job
    lines: int
    commands: list[list[str]]
    remark: str = ""


class Record(msgspec.Struct, frozen=True):
    """All programs of one run."""

    date: str
    machine: Machine
    load_at_end: float
    versions: dict[str, str]
    entries: list[Entry]
    figures: list[Figure]


def read(path: Path = RECORDED) -> Record:
    """Read a record from a file.

    Raises:
        OSError: the file cannot be read.
        msgspec.ValidationError: it does not contain a record.
    """
    return msgspec.json.decode(path.read_bytes(), type=Record)


def read_if_any(path: Path = RECORDED) -> Record | None:
    """Read a record from a file; None if there is none.

    Raises:
        OSError: the file cannot be read.
        msgspec.ValidationError: it does not contain a record.
    """
    return read(path) if path.exists() else None


def write(record: Record, path: Path = RECORDED) -> None:
    """Write a record to a file, with line breaks for readable diffs."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
