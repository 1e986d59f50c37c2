"""Measures the log window: the longest stall and the memory while 1,000,000 lines of 100 runs come, and a search.

    python tools/bench/gui_logs.py [--lines 1000000] [--runs 100] [--per-frame 3000] [--screen]

A stall is the time between two turns of Qt's loop that a timer asks for every 2 ms, less these 2 ms. On a machine that
others use too it is longer than what the window itself causes, so the processor time of Qt's thread between two turns,
its work, is printed beside it.
"""

import argparse
import itertools
import os
import time
from collections.abc import Callable, Iterator

import psutil

from zmqruntime.messages import LogLevel, LogLine

_BAR_STALL_MS = 16.0
_BEAT_MS = 2
_SEED_TIME = 1_700_000_000.0


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--per-frame", type=int, default=3_000, help="lines that arrive every 33 ms")
    parser.add_argument("--screen", action="store_true", help="on the screen instead of offscreen")
    options = parser.parse_args()
    if not options.screen:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    Bench(options.lines, options.runs, options.per_frame).run()


class Bench:
    """One window and what is done to it."""

    def __init__(self, lines: int, runs: int, per_frame: int) -> None:
        from PyQt6.QtCore import QTimer  # noqa: PLC0415 - after the platform is chosen
        from PyQt6.QtWidgets import QApplication  # noqa: PLC0415

        from openhcs_gui_services.widgets.log_view import LogView  # noqa: PLC0415

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
        """Measure and print."""
        self._beat.start(_BEAT_MS)
        self._arrivals.start(33)
        model = self._view.model
        self._until(
            f"{self._lines:,} lines come", lambda: model.lines.next_number >= self._lines and not model.has_work
        )
        self._arrivals.stop()
        print(f"rows {model.rowCount():,}, kept {len(model.lines):,}, texts {model.lines.text_bytes / 2**20:.0f} MiB")
        from openhcs_gui_services.services.log_lines import LogFilter  # noqa: PLC0415

        for wanted in (LogFilter(text="well b02"), LogFilter(level=LogLevel.ERROR), LogFilter()):
            self._view.set_filter(wanted)
            self._until(f"filter {wanted.level}, {wanted.text!r}", lambda: not model.has_work)
            print(f"  found {model.rowCount():,}")
        self._source = _lines(self._lines // 5, 100)
        self._arrivals.start(33)
        end = model.lines.next_number + self._lines // 5
        self._until("a fifth more, old ones go", lambda: model.lines.next_number >= end and not model.has_work)
        self._view.close()

    def _until(self, what: str, is_done: Callable[[], bool]) -> None:
        self._turns.clear()
        self._works.clear()
        begin = self._last = time.perf_counter()
        self._last_work = time.thread_time()
        while not is_done():
            self._app.processEvents()
        stalls = [max(0.0, turn - _BEAT_MS / 1000) for turn in self._turns]
        memory = (psutil.Process().memory_info().rss - self._before) / 2**20
        print(
            f"{what}: {time.perf_counter() - begin:.1f} s, stall {_summary(stalls)} (bar {_BAR_STALL_MS:.0f}), "
            f"work {_summary(self._works)}, memory of the window {memory:.0f} MiB, load {psutil.getloadavg()[0]:.1f}"
        )

    def _on_beat(self) -> None:
        now, work = time.perf_counter(), time.thread_time()
        self._turns.append(now - self._last)
        self._works.append(work - self._last_work)
        self._last, self._last_work = now, work

    def _on_arrivals(self) -> None:
        begin, begin_work = time.perf_counter(), time.thread_time()
        lines = list(itertools.islice(self._source, self._per_frame))
        # Making them up is not the window's work: the turn that is measured does not contain it.
        self._last += time.perf_counter() - begin
        self._last_work += time.thread_time() - begin_work
        self._view.add_lines(lines)


def _summary(seconds: list[float]) -> str:
    ordered = sorted(seconds) or [0.0]
    return f"p99 {ordered[int(len(ordered) * 0.99)] * 1000:.1f} ms, longest {ordered[-1] * 1000:.1f} ms"


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
