"""The same small jobs with other libraries: run the programs in peers/, check them, count their lines, and time them.

    python tools/bench/peers.py [LIBRARY ...] [--part programs|speed] [--rounds N] [--store]

LIBRARY is a name such as `huey` [default: all]. Every process that a program starts is ended. `--store` keeps the run
in docs/peers.json and writes the tables and programs of docs/compare.md from it; `--draw` only writes them. Times are
kept only if all libraries took turns. A program that fails is run again, up to three times, and the page says so. The
exit code is 1 if a program did not do its job.
"""

import argparse
import importlib.metadata
import os
import shutil
import signal
import statistics
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec
import peer_page
import peer_record
import peer_runs
from figures import Figure, Report, Side
from peer_programs import Job, Library, Program
from peer_record import Entry, Record
from runs import Machine
from table import machine_here

PROVEN = tuple(job for job in Job if job is not Job.NOOPS)
_COLD = "durable hello world, or the plain one where there is none: from nothing to the result"
_WARM = "the same once more"
_NOOPS = "10,000 calls of a function that does nothing, on two workers"
_CANCEL = "from the cancel to the last sign of life of a function that never asks"
_TRIES = 3
_NEEDS = {Library.TASKIQ: "redis-server"}


def main() -> int:
    """Run, print and store; return the exit code."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended, too
    if options.draw:
        peer_page.draw(peer_record.read())
        return 0
    chosen = [Library(name) for name in options.libraries] or list(Library)
    usable = [library for library in chosen if _can_run(library)]
    if options.store and options.part != "programs" and usable != list(Library):
        raise SystemExit(
            "times are only comparable within a run of all libraries: install them, or use --part programs"
        )
    machine = machine_here()
    entries, broken = ([], False) if options.part == "speed" else check(usable)
    found = [] if options.part == "programs" else measure(usable, options.rounds)
    if options.store:
        record = _merged(peer_record.read_if_any(), entries, found, machine)
        peer_record.write(record)
        peer_page.draw(record)
    return int(broken)


def _merged(before: Record | None, entries: Sequence[Entry], found: list[Figure], machine: Machine) -> Record:
    """Return what is kept: the new entries, those of programs that were not run, and the new times if there are any."""
    new = {(entry.library, entry.job): entry for entry in [*(before.entries if before else ()), *entries]}
    ordered = [new[key] for key in [(library, job) for library in Library for job in Job] if key in new]
    if before is not None and not found:
        return msgspec.structs.replace(before, entries=ordered)
    versions = {library.value: importlib.metadata.version(library) for library in Library}
    load = round(os.getloadavg()[0], 1)
    return Record(f"{datetime.now(UTC):%Y-%m-%d}", machine, load, versions, ordered, found)


def check(libraries: Sequence[Library]) -> tuple[list[Entry], bool]:
    """Run each program of these libraries, and return what was shown and whether one was broken."""
    found = [entry_of(Program(library, job)) for library in libraries for job in PROVEN if Program(library, job).exists]
    return [entry for entry in found if entry is not None], None in found


def entry_of(program: Program) -> Entry | None:
    """Run a program until it has done its job; None if it never did."""
    for failures in range(_TRIES):
        try:
            proof = peer_runs.prove(program)
        except peer_runs.BrokenError as error:
            print(f"{program.library} {program.job}: BROKEN {error}", flush=True)
            continue
        remark = f"failed in {failures} of {failures + 1} runs" if failures else proof.remark
        name = f"{program.library} {program.job}"
        print(f"{name:32} {program.lines:3} lines  {proof.seconds:7.2f} s  {remark}", flush=True)
        return Entry(program.library, program.job, program.lines, program.commands, remark)
    return None


def measure(libraries: Sequence[Library], rounds: int) -> list[Figure]:
    """Time the libraries in turns, and return the medians."""
    report = Report()
    took: dict[tuple[str, Library], list[float]] = {}
    for _ in range(rounds):
        for library in libraries:
            for name, seconds in _times(library):
                took.setdefault((name, library), []).append(seconds)
                print(f"{library.value:32} {seconds:8.3f} s  {name}", flush=True)
    for name in (_COLD, _WARM, _NOOPS, _CANCEL):
        report.tell(*(_figure(name, library, took[name, library]) for library in libraries if (name, library) in took))
    return report.figures


def _times(library: Library) -> Iterator[tuple[str, float]]:
    """Time what the library can do; what fails is said and has no time."""
    durable = Program(library, Job.DURABLE)
    try:
        cold, warm = peer_runs.time_hello(durable if durable.exists else Program(library, Job.HELLO))
        yield from ((_COLD, cold), (_WARM, warm))
        for name, job in ((_NOOPS, Job.NOOPS), (_CANCEL, Job.CANCEL)):
            if Program(library, job).exists:
                yield name, peer_runs.prove(Program(library, job)).seconds
    except peer_runs.BrokenError as error:
        print(f"{library}: BROKEN {error}", flush=True)


def _figure(name: str, library: Library, took: Sequence[float]) -> Figure:
    side = Side.OURS if library is Library.OURS else Side.PEER
    note = f"{min(took):.2f} to {max(took):.2f}"
    return Figure(name, round(statistics.median(took), 4), "s", side, library.value, note=note)


def _can_run(library: Library) -> bool:
    try:
        importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        print(f"skipped: {library}, which is not installed")
        return False
    if (needed := _NEEDS.get(library)) is not None and shutil.which(needed) is None:
        print(f"skipped: {library}, whose programs need {needed}")
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [library.value for library in Library]
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", choices=[[], *names], help=", ".join(names))
    parser.add_argument("--part", choices=["programs", "speed"], help="only check the programs, or only time them")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed [default: 3]")
    parser.add_argument("--store", action="store_true", help="keep the run in docs/ and write the page")
    parser.add_argument("--draw", action="store_true", help="only write the page from the run that is kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
