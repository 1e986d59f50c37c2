"""What the page of ``zmqruntime web`` costs with 1,536 wells and 1,000 events a second, and how smoothly it is drawn.

    python tools/bench/web_page.py [--seconds 20] [--rate 1000] [--wells 1536]

Prints, in percent of a core, the processor time of the execution server without and with a page, and that of the web
process; and of the browser the time from frame to frame and the longest task of its main thread, which it measures.
The bars: the page adds less than 5 % of a core to the server, and 99 of 100 frames take no more than 50 ms. On a
machine that is busy with other things, the processor time of an update says more than the time of a frame.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from zmqruntime import ZMQConfig
from zmqruntime.execution import ExecutionClient

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from browser import Browser  # noqa: E402

SERVER = ROOT / "packages" / "openhcs-runtime" / "tests" / "page_server.py"
PORT = 7777
MOST_ADDED, MOST_FRAME_MS = 5.0, 50.0
MEASURE = """(() => {
  const found = window.found = { frames: [], tasks: [], works: [] };
  let last = 0;
  const original = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (call) => original((now) => {
    const begin = performance.now();
    call(now);
    found.works.push(performance.now() - begin);
  });
  const next = (now) => { if (last) found.frames.push(now - last); last = now; original(next); };
  original(next);
  new PerformanceObserver((list) => found.tasks.push(...list.getEntries().map((one) => one.duration)))
    .observe({ type: "longtask" });
})()"""
PLACE = "(sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]"
FOUND = f"""(({{ frames, tasks, works }}, at) => {{
  frames.sort((a, b) => a - b);
  works.sort((a, b) => a - b);
  return {{ frames: frames.length, median: at(frames, 0.5), p99: at(frames, 0.99), longest: frames.at(-1),
    work: at(works, 0.5), longest_work: works.at(-1), updates: works.length,
    tasks: tasks.length, longest_task: Math.max(0, ...tasks), nodes: document.querySelectorAll("*").length,
    lines: document.querySelectorAll(".log li").length }};
}})(window.found, {PLACE})"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time in percent of a core."""

    server: float
    web: float


def main() -> int:
    """Measure and print; returns 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--wells", type=int, default=1536)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wp") as folder:
        os.environ["HOME"] = folder
        config = ZMQConfig(app_name="openhcs")
        with ExecutionClient(PORT, server=f"{SERVER}:PageServer", config=config, persistent=False) as client:
            client.connect(120)
            task = {"do": "stream", "count": options.wells, "rate": options.rate, "seconds": 100 * options.seconds}
            execution = client.submit(task, plate_id="/plates/of 1,536 wells")
            while not client.snapshot_of(execution).started_at:
                time.sleep(0.1)
            time.sleep(3)  # the wells are announced
            alone = cost(client.server.pid, None, options.seconds)
            with serving() as (url, web):
                shown, frames = look(f"{url}#/openhcs:{PORT}/{execution}", client.server.pid, web, options.seconds)
            alone = Cost((alone.server + cost(client.server.pid, None, options.seconds).server) / 2, 0)
            events = client.snapshot_of(execution).event_count
            client.cancel(execution, grace_seconds=0)
            client.wait(execution)
    return report(alone, shown, frames, events)


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """The page in a process of its own: its address and its process id."""
    command = [sys.executable, "-m", "zmqruntime.execution.cli", "web", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1], process.pid
    finally:
        process.terminate()
        process.communicate()


def cost(server: int, web: int | None, seconds: float) -> Cost:
    """Processor time of the server and the web process over a time."""
    begin, before = time.perf_counter(), [spent(server), spent(web)]
    time.sleep(seconds)
    took = time.perf_counter() - begin
    return Cost(*(100 * (now - then) / took for now, then in zip([spent(server), spent(web)], before, strict=True)))


def spent(pid: int | None) -> float:
    """Processor time of a process in seconds, without its children."""
    return 0.0 if pid is None else sum(psutil.Process(pid).cpu_times()[:2])


def browser_spent(pid: int) -> float:
    """Processor time of the browser and its processes in seconds."""
    process = psutil.Process(pid)
    return sum(spent(each.pid) for each in [process, *process.children(recursive=True)])


def look(url: str, server: int, web: int, seconds: float) -> tuple[Cost, dict[str, float]]:
    """Show the page and measure both processes and the browser."""
    with Browser(1280, 1400) as browser:
        browser.load(url)
        browser.until("document.querySelector('.plate-panel .count')?.textContent.includes('running')")
        browser.run("document.querySelector('.log').scrollIntoView()")
        browser.run(f"void {MEASURE}")
        before = browser_spent(browser.pid)
        shown = cost(server, web, seconds)
        found: dict[str, float] = browser.run(FOUND)
        found["spent"] = 1000 * (browser_spent(browser.pid) - before) / max(1, found["updates"])
    return shown, found


def report(alone: Cost, shown: Cost, frames: dict[str, float], events: int) -> int:
    """Print what was measured; returns 1 if a bar is missed."""
    added = shown.server - alone.server
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(f"load {load:.1f}, {events:,} events in all")
    print(f"server      {alone.server:5.1f} % of a core without a page, {shown.server:.1f} % with it: {added:+.1f} %")
    print(f"web process {shown.web:5.1f} % of a core")
    print(
        f"frames      {frames['median']:.1f} ms median, {frames['p99']:.1f} ms 99th percentile, "
        f"{frames['longest']:.1f} ms longest of {frames['frames']:,.0f}"
    )
    print(f"updates     {frames['work']:.1f} ms of JavaScript median, {frames['longest_work']:.1f} ms longest")
    print(f"browser     {frames['spent']:.1f} ms of processor time for each update, in all its processes")
    print(f"main thread {frames['longest_task']:.0f} ms longest task; {frames['tasks']:.0f} of more than 50 ms")
    print(f"page        {frames['nodes']:,.0f} elements, {frames['lines']:,.0f} lines of the log")
    return int(added > MOST_ADDED or frames["p99"] > MOST_FRAME_MS)


if __name__ == "__main__":
    sys.exit(main())
