"""How many planes of 512 x 512 uint16 napari adds to a growing stack, and whether its window stays responsive.

Measures planes per second, acknowledged as displayed; the time per plane for the last tenth compared with the first;
and the longest stall of Qt's loop meanwhile. Needs napari and a screen; if DISPLAY is not set, use xvfb-run, which
renders without a graphics card.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import figures
import numpy as np
import numpy.typing as npt
from figures import Figure, Report

from openhcs_runtime.viewers.napari import NapariProcessManager
from zmqruntime.streaming import ImageStream, Policy

PORT = 5634
SIDE = 512
AT_ONCE = 10
PROBE = '''
import json
import time
from pathlib import Path
from qtpy.QtCore import QTimer
from openhcs_runtime.viewers.napari.server import NapariViewerServer

class ProbeViewer(NapariViewerServer):
    """Measures every 2 ms how long Qt's loop was blocked, and how long our own work takes."""

    def on_open(self, stack):
        super().on_open(stack)
        self.forget()
        self.timer = QTimer()
        self.timer.timeout.connect(self.look)
        self.timer.start(2)

    def forget(self):
        self.longest, self.last, self.ours = 0.0, time.perf_counter(), 0.0

    def _on_frame(self):
        begin = time.thread_time()
        try:
            return super()._on_frame()
        finally:
            self.ours = max(self.ours, time.thread_time() - begin)

    def look(self):
        now = time.perf_counter()
        self.longest, self.last = max(self.longest, now - self.last), now

    def display_image(self, image_data, metadata):
        if "answer" not in metadata:
            return super().display_image(image_data, metadata)
        Path(metadata["answer"]).write_text(json.dumps([self.longest, self.ours]), encoding="utf-8")
        self.forget()
'''


class ProbeManager(NapariProcessManager):
    """A client that starts the probe."""

    script = Path()

    def get_launch_command(self) -> list[str]:
        """Return the command of a viewer that measures stalls of its window."""
        return self.server_command(f"{self.script}:ProbeViewer", modes=self._modes, **self._options)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planes", type=int, default=1000, help="planes of one stack [default: 1000]")
    with (
        figures.report(parser) as (options, report),
        tempfile.TemporaryDirectory(prefix="vn") as home,
    ):
        os.environ["HOME"] = home
        manager = ProbeManager(PORT, persistent=False)
        manager.script = Path(home, "probe_viewer.py")
        manager.script.write_text(PROBE, encoding="utf-8")
        begin = time.perf_counter()
        manager.start(timeout=120)
        report.tell(Figure("start of the viewer", time.perf_counter() - begin, "s"))
        try:
            with ImageStream(PORT, policy=Policy.ALL) as stream:
                stream.wait_connected()
                measure(stream, Path(home, "answer"), options.planes, report)
        finally:
            manager.stop()
    sys.exit(report.missed > 0)


def measure(stream: ImageStream, answer: Path, planes: int, report: Report) -> None:
    """Send one stack as fast as possible, then another one a few planes at a time."""
    images = np.random.default_rng(0).integers(0, 2**16, (8, SIDE, SIDE), np.uint16)
    send(stream, images, "warm", range(1, 9))
    longest_stall(stream, answer)
    seconds = send(stream, images, "fast", range(1, planes + 1))
    stall, ours = longest_stall(stream, answer)
    report.tell(
        Figure("new planes in a growing stack", planes / seconds, "1/s", bar=60, higher_is_better=True),
        Figure("longest frame of this project, processor time", ours * 1e3, "ms", bar=100),
        Figure("longest stall of the window", stall * 1e3, "ms", note="including drawing and other programs"),
    )
    stream.clear()
    steps = [
        send(stream, images, "steps", range(begin, begin + AT_ONCE)) / AT_ONCE
        for begin in range(1, planes + 1, AT_ONCE)
    ]
    few = max(1, len(steps) // 10)
    first, last = statistics.median(steps[1 : few + 1]), statistics.median(steps[-few:])
    report.tell(
        Figure(f"time per plane, {AT_ONCE} at a time, first tenth", first * 1e3, "ms"),
        Figure("time per plane, last tenth", last * 1e3, "ms"),
        Figure("last tenth compared with the first", last / first, "x", bar=1.5),
    )


def send(stream: ImageStream, images: npt.NDArray[np.uint16], layer: str, sites: range) -> float:
    """Return the seconds until these planes are displayed."""
    begin = time.perf_counter()
    for site in sites:
        look = {"contrast_limits": [0, 65535]}
        stream.send(images[site % len(images)], layer_name=layer, position={"site": site}, metadata=look)
    stream.settle(300)
    return time.perf_counter() - begin


def longest_stall(stream: ImageStream, answer: Path) -> tuple[float, float]:
    """Return the longest stall of Qt's loop and the longest processor time of our frames since the last call, in s."""
    stream.send(np.zeros((1, 1), np.uint8), layer_name="question", metadata={"answer": str(answer)})
    stream.settle(60)
    stall, ours = json.loads(answer.read_text(encoding="utf-8"))
    return float(stall), float(ours)


if __name__ == "__main__":
    main()
