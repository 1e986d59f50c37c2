"""Producers and viewers that are killed or stopped at any moment: real processes, and nothing is left of them.

``STREAM_KILLS`` says how often (4).
"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from zmqruntime.streaming import ImageStream, Policy, VisualizerProcessManager
from zmqruntime.streaming.segments import segment_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no signals like these")

KILLS = int(os.environ.get("STREAM_KILLS", "4"))
PORT = 5555
Until = Callable[[Callable[[], object]], None]

VIEWER = """
from zmqruntime.streaming import StreamingVisualizerServer

class FileViewer(StreamingVisualizerServer):
    viewer_type = "file"

    def display_image(self, image_data, metadata):
        assert image_data.min() == image_data.max(), "torn"
"""

PRODUCER = """
import itertools, sys
import numpy as np
from zmqruntime.streaming import ImageStream

with ImageStream(5555, memory_budget=50_000_000) as stream:
    stream.wait_connected(20)
    print("ready", flush=True)
    for number in itertools.count():
        if number % 2:
            array = stream.allocate((700, 700), np.uint16)
            array[:] = number
            stream.send(array, position={"site": number % 5})
        else:
            stream.send(np.full((700, 700), number, np.uint16), position={"site": number % 5})
        if number == 60:
            print("well under way", flush=True)
"""


class FileViewerManager(VisualizerProcessManager):
    """Runs the viewer of a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(PORT)
        self._script = folder / "file_viewer.py"
        self._script.write_text(VIEWER, encoding="utf-8")

    def get_launch_command(self) -> list[str]:
        return self.server_command(f"{self._script}:FileViewer")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[FileViewerManager]:
    manager = FileViewerManager(tmp_path)
    manager.start()
    yield manager
    manager.stop()


def start_producer() -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "error", "-c", PRODUCER]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def segments_of(pid: int) -> list[str]:
    return [path.name for path in segment_folder().glob(f"zrs-{pid}-*")]


def is_swept(pid: int) -> bool:
    return not segments_of(pid)


@pytest.mark.timeout(60 + 10 * KILLS)
def test_producers_that_are_killed_leave_nothing_where_a_viewer_lives(manager: FileViewerManager, until: Until) -> None:
    pong = manager.health()
    assert pong is not None
    viewer = psutil.Process(pong.pid)
    descriptors: list[int] = []
    for turn in range(KILLS):
        producer = start_producer()
        assert producer.stdout is not None
        assert producer.stdout.readline() == "ready\n"
        if random.random() < 0.7:
            assert producer.stdout.readline() == "well under way\n"
        kill(producer)
        until(partial(is_swept, producer.pid))  # the viewer sees to it
        if turn % 2 == 1:
            descriptors.append(viewer.num_fds())
    assert manager.is_running
    until(lambda: viewer.num_fds() <= descriptors[0] + 2)
    assert "torn" not in manager.log_tail(100_000)


def test_a_producer_that_is_killed_alone_is_swept_at_the_next_start(until: Until, manager: FileViewerManager) -> None:
    producer = start_producer()
    assert producer.stdout is not None
    assert producer.stdout.readline() == "ready\n"
    assert producer.stdout.readline() == "well under way\n"
    pong = manager.health()
    assert pong is not None
    os.kill(pong.pid, signal.SIGKILL)
    kill(producer)
    assert segments_of(producer.pid)
    with ImageStream(PORT, shared_memory=False):
        assert not segments_of(producer.pid)


@pytest.mark.timeout(60 + 10 * KILLS)
def test_viewers_that_are_killed_cost_the_producer_nothing(manager: FileViewerManager, until: Until) -> None:
    with ImageStream(PORT, memory_budget=20_000_000) as stream:
        descriptors: list[int] = []
        for turn in range(KILLS):
            pong = manager.start()
            assert stream.wait_connected(20)
            for number in range(random.randrange(1, 60)):
                stream.send(np.full((700, 700), number, np.uint16), position={"site": number % 3})
            os.kill(pong.pid, signal.SIGKILL)
            until(lambda: not stream.is_connected)
            manager.stop()
            assert stream.counts.memory_bytes <= 20_000_000
            if turn % 2 == 1:
                descriptors.append(psutil.Process().num_fds())
        manager.start()
        stream.settle(20)
        counts = stream.counts
        assert counts.failed == 0
        assert counts.displayed + counts.skipped == counts.sent
        assert descriptors[-1] <= descriptors[0] + 10
    assert not segments_of(os.getpid())


def test_a_viewer_that_is_stopped_neither_delays_nor_grows_the_producer(manager: FileViewerManager) -> None:
    budget = 30_000_000
    with ImageStream(PORT, memory_budget=budget, timeout=0.0) as stream:
        assert stream.wait_connected(20)
        pong = manager.health()
        assert pong is not None
        image = np.zeros((1000, 1000), np.uint16)
        os.kill(pong.pid, signal.SIGSTOP)
        try:
            before = psutil.Process().memory_info().rss
            for number in range(1000):  # 2 GB
                stream.send(image, position={"site": number % 40})
            grown = psutil.Process().memory_info().rss - before
            assert stream.counts.memory_bytes <= budget
            assert grown < budget + 15_000_000
            assert sum((segment_folder() / name).stat().st_size for name in segments_of(os.getpid())) <= budget + 4096
        finally:
            os.kill(pong.pid, signal.SIGCONT)
        stream.settle(20)
        counts = stream.counts
        assert counts.displayed + counts.skipped == counts.sent == 1000


def test_a_full_shared_memory_falls_back_to_frames(manager: FileViewerManager, monkeypatch: pytest.MonkeyPatch) -> None:
    with ImageStream(PORT, policy=Policy.ALL) as stream:
        assert stream.wait_connected(20)
        assert stream.shares_memory

        def full(nbytes: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("zmqruntime.streaming.pool.create_segment", full)
        for number in range(20):
            stream.send(np.full((700, 700), number, np.uint16))
        stream.settle(20)
        assert stream.counts.displayed == 20


def test_a_forked_child_leaves_the_stream_to_its_parent(manager: FileViewerManager) -> None:
    with ImageStream(PORT) as stream:
        stream.send(np.ones((700, 700)))
        stream.settle(20)
        pid = os.fork()
        if pid == 0:
            stream.close()
            os._exit(0)
        os.waitpid(pid, 0)
        stream.send(np.ones((700, 700)))
        stream.settle(20)
        assert stream.counts.displayed == 2
