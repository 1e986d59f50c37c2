"""The log window: stalls and memory while 1,000,000 lines of 100 runs arrive, and during a search.

    python tools/bench/gui_logs.py [--lines 1000000] [--runs 100] [--per-frame 3000] [--screen] [--json FILE]

A stall is the time between two iterations of Qt's loop that a timer requests every 2 ms, minus these 2 ms. On a busy
machine it is longer than what the window itself causes, so the processor time of Qt's thread between two iterations is
printed as well.
"""

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator

import figures
import psutil
from figures import Figure, Report

from zmqruntime.messages import LogLevel, LogLine

_BAR_STALL_MS = 16.0
_BEAT_MS = 2
_SEED_TIME = 1_700_000_000.0


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--per-frame", type=int, default=3_000, help="lines arriving every 33 ms")
    parser.add_argument("--screen", action="store_true", help="on the screen instead of offscreen")
    with figures.report(parser) as (options, report):
        if not options.screen:
            os.environ["QT_QPA_PLATFORM"] = "offscreen"
        Bench(report, options.lines, options.runs, options.per_frame).run()
    sys.exit(report.missed > 0)


class Bench:
    """One log window and its measurements."""

    def __init__(self, report: Report, lines: int, runs: int, per_frame: int) -> None:
        from PyQt6.QtCore import QTimer  # noqa: PLC0415 - after the platform is chosen
        from PyQt6.QtWidgets import QApplication  # noqa: PLC0415

        from openhcs_gui_services.widgets.log.view import LogView  # noqa: PLC0415

        self._report = report
        self._app = QApplication([])
        self._before = psutil.Process().memory_info().rss
        self._view = LogView()
        self._view.resize(1100, 700)
        self._view.show()
        self._source = _lines(lines, runs)
        self._per_frame = per_frame
        self._turns: list[float] = []
        self._works: list[float] = []
        self._last, self._last_work = time.perf_counter(), time.thread_time()
        self._beat = QTimer()
        self._beat.timeout.connect(self._on_beat)
        self._arrivals = QTimer()
        self._arrivals.timeout.connect(self._on_arrivals)
        self._lines = lines

    def run(self) -> None:
        """Measure and report."""
        self._beat.start(_BEAT_MS)
        self._arrivals.start(33)
        model = self._view.model
        self._until("lines arrive", lambda: model.lines.next_number >= self._lines and not model.has_work)
        self._arrivals.stop()
        print(f"rows {model.rowCount():,}, kept {len(model.lines):,}, texts {model.lines.text_bytes / 2**20:.0f} MiB")
        from openhcs_gui_services.services.log import LogFilter  # noqa: PLC0415

        searches = {"search for a well": LogFilter(text="well b02"), "errors only": LogFilter(level=LogLevel.ERROR)}
        for what, wanted in {**searches, "clear the filter": LogFilter()}.items():
            self._view.set_filter(wanted)
            self._until(what, lambda: not model.has_work)
            print(f"  found {model.rowCount():,}")
        self._source = _lines(self._lines // 5, 100)
        self._arrivals.start(33)
        end = model.lines.next_number + self._lines // 5
        self._until("20 % more, dropping old ones", lambda: model.lines.next_number >= end and not model.has_work)
        memory = (psutil.Process().memory_info().rss - self._before) / 2**20
        self._report.tell(Figure(f"log window, {self._lines:,} lines and 20 % more: memory", memory, "MiB"))
        self._view.close()

    def _until(self, what: str, is_done: Callable[[], bool]) -> None:
        self._turns.clear()
        self._works.clear()
        begin = self._last = time.perf_counter()
        self._last_work = time.thread_time()
        while not is_done():
            self._app.processEvents()
        stalls = [max(0.0, turn - _BEAT_MS / 1000) for turn in self._turns]
        name = f"log window, {self._lines:,} lines: {what}, stall p99"
        took, longest = time.perf_counter() - begin, max(stalls, default=0.0) * 1000
        note = f"in {took:.1f} s, longest {longest:.1f} ms, processor time p99 {_p99(self._works):.1f} ms"
        self._report.tell(Figure(name, _p99(stalls), "ms", bar=_BAR_STALL_MS, note=note))

    def _on_beat(self) -> None:
        now, work = time.perf_counter(), time.thread_time()
        self._turns.append(now - self._last)
        self._works.append(work - self._last_work)
        self._last, self._last_work = now, work

    def _on_arrivals(self) -> None:
        begin, begin_work = time.perf_counter(), time.thread_time()
        lines = list(itertools.islice(self._source, self._per_frame))
        # Generating them is not the window's work, so the measured iteration does not include it.
        self._last += time.perf_counter() - begin
        self._last_work += time.thread_time() - begin_work
        self._view.add_lines(lines)


def _p99(seconds: list[float]) -> float:
    """Return the 99th percentile in milliseconds."""
    ordered = sorted(seconds) or [0.0]
    return ordered[int(len(ordered) * 0.99)] * 1000


def _lines(count: int, runs: int) -> Iterator[LogLine]:
    levels = [LogLevel.INFO] * 17 + [LogLevel.DEBUG, LogLevel.WARNING, LogLevel.ERROR]
    ids = [f"{run:032x}" for run in range(runs)]
    for number in range(count):
        well = f"{chr(65 + number % 16)}{number % 24 + 1:02}"
        yield LogLine(
            execution_id=ids[number * runs // count],
            sequence=number + 1,
            timestamp=_SEED_TIME + number / 1000,
            level=levels[number % len(levels)],
            logger="openhcs.step",
            text=f"Well {well}: pattern group {number} of channel {number % 4} done in {number % 97} ms, 12 objects",
        )


if __name__ == "__main__":
    main()
