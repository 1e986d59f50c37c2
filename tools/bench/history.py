"""What executions cost a server's database, and what a long history or many followers of one execution cost others.

Figures are processor times, and ratios of two measurements of the same run, so they hardly depend on the machine.
"""

import argparse
import contextlib
import os
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import figures
import psutil
from figures import Figure, Report, Side
from full_store import fill

from zmqruntime import ExecuteRequest, ExecutionStatus
from zmqruntime.codec import encode
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.server.executions import Ledger
from zmqruntime.execution.server.store import Store

SERVER = Path(__file__).with_name("noop_server.py")
PORT = 7797
AT_ONCE = 8
ROUNDS = 5


def main() -> int:
    """Measure and report; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=2_000, help="executions of a round [default: 2000]")
    parser.add_argument("--old", type=int, default=129_000, help="executions to delete [default: 129000]")
    parser.add_argument("--kept", type=int, default=100_000, help="ended executions that are kept [default: 100000]")
    parser.add_argument("--followers", type=int, default=200, help="clients in one process [default: 200]")
    parser.add_argument("--events", type=int, default=10_000, help="events that each reads [default: 10000]")
    parser.add_argument("--many-events", type=int, default=1_000_000, help="of one execution [default: 1000000]")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="zb") as home:
        os.environ["HOME"] = home
        print(f"load {os.getloadavg()[0]:.1f}")
        measure_store(report, Path(home), options.executions)
        measure_pruning(report, options.old, options.kept)
        measure_followers(report, options.followers, options.events)
        measure_many_events(report, options.many_events)
        print(f"load {os.getloadavg()[0]:.1f}")
    return int(report.missed > 0)


def processor_seconds(process: psutil.Process | None = None) -> float:
    """Return what a process has used so far, this one by default."""
    times = (process or psutil.Process()).cpu_times()
    return float(times.user + times.system)


# --- the store ----------------------------------------------------------------------------------------------------


def measure_store(report: Report, folder: Path, count: int) -> None:
    """Compare the ledger and its database with the same four writes by SQLite alone, in turns."""
    ours, bare = [], []
    for place in range(ROUNDS):
        ours.append(ledger_seconds(folder / f"ours-{place}.sqlite", count) / count)
        bare.append(bare_seconds(folder / f"bare-{place}.sqlite", count) / count)
    name = f"processor time of the database for an execution, {AT_ONCE} starts and ends a commit"
    report.tell(
        Figure(name, statistics.median(ours) * 1e6, "us", bar=250, note="accepted, started and ended, each with fsync"),
        Figure(
            name, statistics.median(bare) * 1e6, "us", Side.FLOOR, "SQLite, two inserts and two updates", bar=1 / 12
        ),
    )


def ledger_seconds(path: Path, count: int) -> float:
    """Return the processor time of executions that are accepted together, and run a few at a time."""
    store = Store(path)
    ledger = Ledger(store, lambda batches: None, lambda execution_id, events: None)
    requests = [ExecuteRequest(submission_id=f"execution-{number:06d}", payload=None) for number in range(count)]
    begin = processor_seconds()
    known = ledger.find_many([request.submission_id for request in requests])
    for request in requests:
        ledger.accept(request, known)
    commit(ledger)
    records = list(ledger.active.values())
    running = records[:0]
    for place in range(0, count + AT_ONCE, AT_ONCE):
        for record in running:
            record.result, record.result_bytes, record.has_new_outcome = b"\xc3", 1, True
            ledger.set_status(record, ExecutionStatus.COMPLETE)
        running = records[place : place + AT_ONCE]
        for record in running:
            ledger.set_status(record, ExecutionStatus.RUNNING)
        commit(ledger)
    took = processor_seconds() - begin
    store.close()
    return took


def commit(ledger: Ledger) -> None:
    """End a turn."""
    ledger.commit()
    ledger.tell()


def bare_seconds(path: Path, count: int) -> float:
    """Return the processor time of the same number of writes and commits by SQLite alone."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE t (number INTEGER PRIMARY KEY, id TEXT UNIQUE, status TEXT, at REAL)")
        connection.execute("CREATE TABLE p (number INTEGER PRIMARY KEY, data BLOB)")
        begin = processor_seconds()
        connection.execute("BEGIN")
        rows = [(number, f"execution-{number:06d}", "queued") for number in range(count)]
        connection.executemany("INSERT INTO t (number, id, status) VALUES (?, ?, ?)", rows)
        connection.executemany("INSERT INTO p VALUES (?, ?)", [(number, encode(None)) for number in range(count)])
        connection.execute("COMMIT")
        for place in range(0, count + AT_ONCE, AT_ONCE):
            connection.execute("BEGIN")
            for status, after in (("complete", place - AT_ONCE), ("running", place)):
                changed = [(status, time.time(), number) for number in range(max(0, after), after + AT_ONCE)]
                connection.executemany("UPDATE t SET status = ?, at = ? WHERE number = ?", changed)
            connection.execute("COMMIT")
        return processor_seconds() - begin


# --- a long history -----------------------------------------------------------------------------------------------


def measure_pruning(report: Report, old: int, kept: int) -> None:
    """Ask for the status while a server deletes old executions, and once it has."""
    target = f"{SERVER}:PausedServer"
    with ExecutionClient(PORT, server=target) as ours:
        ours.shutdown_server()
        database = ours.config.server_dir(PORT) / "executions.sqlite"
        fill(database, old + kept, has_results=False)
    with ExecutionClient(PORT, server=target, server_options={"keep_history": kept}, persistent=False) as ours:
        during = [status_seconds(ours) for _ in range(1_000)]
        left = count_ended(database) - kept
        while count_ended(database) > kept:
            time.sleep(1)
        afterwards = [status_seconds(ours) for _ in range(1_000)]
    name = f"status while {old:,} old executions are deleted"
    note = f"{left:,} of them were left after the last; the longest took {max(during) * 1e3:.1f} ms"
    report.tell(
        Figure(name, statistics.median(during) * 1e3, "ms", bar=5, note=note),
        Figure(name, statistics.median(afterwards) * 1e3, "ms", Side.FLOOR, "the same once they are gone", bar=1 / 3),
    )


def status_seconds(ours: ExecutionClient) -> float:
    """Return how long the server takes to list its latest executions."""
    begin = time.perf_counter()
    ours.status(20)
    return time.perf_counter() - begin


def count_ended(database: Path) -> int:
    """Return how many ended executions a server has, read beside it."""
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM executions WHERE ended_order IS NOT NULL").fetchone()
    return int(count)


# --- followers ----------------------------------------------------------------------------------------------------


def measure_followers(report: Report, count: int, events: int) -> None:
    """Follow one execution from many clients in this process, and from a tenth of them."""
    few = followed(max(1, count // 10), events)
    many = followed(count, events)
    name = f"processor time of a reader for an event, {count} followers in one process"
    report.tell(
        Figure(name, many * 1e6, "us", bar=25, note=f"{events:,} events, each reader got all, in order"),
        Figure(name, few * 1e6, "us", Side.FLOOR, "a tenth of the followers", bar=1 / 2),
    )


@contextlib.contextmanager
def reporting(events: int) -> Iterator[tuple[ExecutionClient, str, Callable[[], None]]]:
    """A client with its own server, the id of an execution that will report, and what lets it begin."""
    with ExecutionClient(PORT + 10, server=f"{SERVER}:NoopServer", persistent=False) as ours:
        stuck = ours.submit({"stuck": True})
        execution_id = ours.submit({"report": events})

        def begin() -> None:
            ours.cancel(stuck, grace_seconds=0)

        yield ours, execution_id, begin


def followed(count: int, events: int) -> float:
    """Return the processor time for each event and reader.

    Raises:
        AssertionError: a reader missed an event.
    """
    with reporting(events) as (_, execution_id, begin), contextlib.ExitStack() as stack:
        readers = [stack.enter_context(ExecutionClient(PORT + 10)) for _ in range(count)]
        found = [0] * count
        ready = threading.Barrier(count + 1)

        def read(place: int) -> None:
            ready.wait()
            for event in readers[place].events(execution_id):
                assert event.number == found[place] + 1, "an event is missing"
                found[place] = event.number

        threads = [threading.Thread(target=read, args=(place,)) for place in range(count)]
        for thread in threads:
            thread.start()
        ready.wait()
        before = processor_seconds()
        begin()
        for thread in threads:
            thread.join()
        assert min(found) == max(found) > events, "a reader ended early"
        return (processor_seconds() - before) / count / events


def measure_many_events(report: Report, count: int) -> None:
    """Report very often from one execution, and read it all afterwards."""
    with reporting(count) as (ours, execution_id, begin):
        server = psutil.Process(ours.server.pid)
        before, used = server.memory_info().rss, processor_seconds(server)
        begin()
        known = ours.wait(execution_id).event_count
        memory, used = server.memory_info().rss - before, processor_seconds(server) - used
        began, read = processor_seconds(), sum(1 for _ in ours.events(execution_id))
        took = processor_seconds() - began
    note = f"{read:,} of {known:,} events read afterwards, {took / read * 1e6:.1f} us of the reader for each"
    report.tell(
        Figure(f"growth of the server over {count:,} events of one execution", memory / 1e6, "MB", bar=20, note=note),
        Figure("processor time of the server for an event", used / count * 1e6, "us", bar=15),
    )


if __name__ == "__main__":
    sys.exit(main())
