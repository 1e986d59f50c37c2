"""The speed of arrays to a viewer, compared with the bare operation and with imagezmq, where installed.

The viewer is another process on this machine that does not display anything.
"""

import argparse
import contextlib
import importlib
import importlib.util
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import figures
import numpy as np
import numpy.typing as npt
import psutil
import zmq
from figures import Figure, Report, Side

from zmqruntime import Security, TransportMode, ZMQConfig
from zmqruntime.streaming import (
    Compression,
    ImageStream,
    Policy,
    Receiver,
    Sender,
    StreamingVisualizerServer,
    VisualizerProcessManager,
    decode_array,
    encode_array,
    receive,
)
from zmqruntime.streaming.segments import create_segment, remove_segment

PORT, PEER_PORT = 5595, 5596
CONFIG = ZMQConfig(security=Security.NONE)
SHAPE = (2048, 2048)
SPAWN = multiprocessing.get_context("spawn")
ROTATION = 16  # as many blocks as a viewer's window, so that neither side writes to memory that is still cached


class BlindViewer(StreamingVisualizerServer):
    """Accepts everything and displays nothing; writes the time of arrival to a file that the metadata may name."""

    viewer_type = "blind"

    def display_image(self, image_data: npt.NDArray[Any], metadata: dict[str, Any]) -> None:
        """Write the time, from the clock shared by all processes, if requested."""
        now = time.monotonic_ns()
        if "times" in metadata:
            with Path(metadata["times"]).open("a", encoding="ascii") as file:
                file.write(f"{now}\n")


class BlindViewerManager(VisualizerProcessManager):
    """A client that starts the viewer."""

    def get_launch_command(self) -> list[str]:
        """Return the command of the process."""
        return self.server_command(BlindViewer)


def main() -> int:
    """Measure and report; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=300, help="images per rate [default: 300]")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each rate, for the median [default: 5]")
    parser.add_argument(
        "--stopped-seconds", type=float, default=60.0, help="how long the viewer is stopped [default: 60]"
    )
    parser.add_argument("--camera-seconds", type=float, default=10.0, help="how long cameras run [default: 10]")
    with figures.report(parser) as (options, report), tempfile.TemporaryDirectory(prefix="zs") as home:
        os.environ["HOME"] = home
        image = np.random.default_rng(0).integers(0, 2**16, SHAPE, np.uint16)
        measure_copy(report, image, options.images, options.rounds)
        measure_allocated(report, Path(home))
        measure_frames(report, image, options.images, options.rounds)
        measure_stopped(report, options.stopped_seconds)
        measure_cameras(report, options.camera_seconds)
    return int(report.missed > 0)


def in_turns(rounds: int, *ways: Callable[[], float]) -> list[float]:
    """Return the median of each of several measurements taken in turns, because the speed of the machine varies."""
    taken = [[way() for way in ways] for _ in range(1 + rounds)][1:]  # the first round makes the memory
    return [statistics.median(values) for values in zip(*taken, strict=True)]


def load_note() -> str:
    """Return the load of the machine, which a rate depends on."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


@contextlib.contextmanager
def viewer(mode: TransportMode = TransportMode.IPC) -> Iterator[BlindViewerManager]:
    """Run a viewer process in the block."""
    manager = BlindViewerManager(PORT, transport_mode=mode, config=CONFIG)
    manager.start()
    try:
        yield manager
    finally:
        manager.stop()


# --- one host -----------------------------------------------------------------------------------------------------


def measure_copy(report: Report, image: npt.NDArray[Any], count: int, rounds: int) -> None:
    """Measure images copied by the stream and acknowledged, in turns with the copy alone and with imagezmq."""
    with (
        viewer() as manager,
        ImageStream(PORT, policy=Policy.ALL, config=CONFIG) as stream,
        segments(image.nbytes) as targets,
        imagezmq_sender() as sender,
    ):
        stream.wait_connected()
        both = [psutil.Process(), psutil.Process(manager.start().pid)]

        def rate(begin: float) -> float:
            return count * image.nbytes / (time.perf_counter() - begin) / 1e9

        def ours() -> float:
            begin = time.perf_counter()
            for _ in range(count):
                stream.send(image)
            stream.settle(60)
            return rate(begin)

        def bare() -> float:
            begin = time.perf_counter()
            for number in range(count):
                np.copyto(targets[number % ROTATION].reshape(image.shape), image)
            return rate(begin)

        def theirs() -> float:
            begin = time.perf_counter()
            for _ in range(count):
                sender.send_image("image", image)
            return rate(begin)

        medians = in_turns(rounds, ours, bare, *([theirs] if sender else []))
        used, copied = cpu_of(ours, both), cpu_of(bare, both)
        peer = cpu_of(theirs, [*both, *both[0].children()]) if sender else 0.0
    name = "2048 x 2048 uint16, copied in, sent and acknowledged"
    report.tell(
        Figure(name, medians[0], "GB/s", higher_is_better=True, note=load_note()),
        Figure(name, medians[1], "GB/s", Side.FLOOR, "memcpy into shared memory", bar=1, higher_is_better=True),
    )
    if sender:
        report.tell(Figure(name, medians[2], "GB/s", Side.PEER, "imagezmq", bar=3, higher_is_better=True))
    name = "the same, processor time of all processes per image"
    report.tell(
        Figure(name, used / count * 1e6, "us"),
        Figure(name, copied / count * 1e6, "us", Side.FLOOR, "memcpy into shared memory"),
    )
    if sender:
        report.tell(Figure(name, peer / count * 1e6, "us", Side.PEER, "imagezmq", bar=3))


def cpu_of(work: Callable[[], float], processes: Sequence[psutil.Process]) -> float:
    """Return the processor time that these processes use during a call."""

    def seconds() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    before = seconds()
    work()
    return seconds() - before


@contextlib.contextmanager
def segments(nbytes: int) -> Iterator[list[npt.NDArray[np.uint16]]]:
    """Return shared memory to copy to, like the stream's."""
    made = [create_segment(nbytes) for _ in range(ROTATION)]
    yield [np.frombuffer(mapped, np.uint16) for _, mapped in made]
    for name, _ in made:
        remove_segment(name)


def imagezmq_hub(ready: Any) -> None:
    """Receive and reply until an image of one pixel arrives."""
    imagezmq = importlib.import_module("imagezmq")
    hub = imagezmq.ImageHub(open_port=f"tcp://127.0.0.1:{PEER_PORT}")
    ready.set()
    last = False
    while not last:
        _, image = hub.recv_image()
        hub.send_reply(b"OK")
        last = image.size == 1
    hub.close()


@contextlib.contextmanager
def imagezmq_sender() -> Iterator[Any]:
    """Return a sender of imagezmq whose images are each acknowledged, its default; None if it is not installed."""
    if importlib.util.find_spec("imagezmq") is None:
        yield None
        return
    imagezmq = importlib.import_module("imagezmq")
    ready = SPAWN.Event()
    hub = SPAWN.Process(target=imagezmq_hub, args=(ready,))
    hub.start()
    ready.wait(30)
    sender = imagezmq.ImageSender(connect_to=f"tcp://127.0.0.1:{PEER_PORT}")
    yield sender
    sender.send_image("end", np.zeros((1, 1), np.uint16))
    sender.close()
    hub.join()


def measure_allocated(report: Report, folder: Path) -> None:
    """Measure from the call of send to the first line of display_image, for small and large arrays."""
    with viewer(), ImageStream(PORT, config=CONFIG) as stream:
        stream.wait_connected()
        for side in (256, 2048, 8192):
            times = folder / f"times-{side}"
            sent = []
            for number in range(200):
                array = stream.allocate((side, side), np.uint16)
                array[::256, ::2048] = number
                sent.append(time.monotonic_ns())
                stream.send(array, metadata={"times": str(times)})
                stream.settle()
            came = [int(line) for line in times.read_text(encoding="ascii").split()]
            median = statistics.median(after - before for before, after in zip(sent, came, strict=True)) / 1e6
            report.tell(Figure(f"{side} x {side} uint16 in shared memory, send to display", median, "ms", bar=0.4))


# --- between hosts ------------------------------------------------------------------------------------------------


def measure_frames(report: Report, image: npt.NDArray[Any], count: int, rounds: int) -> None:
    """Measure TCP without shared memory and encryption, compared with bare PUSH and PULL."""
    stream = ImageStream(
        PORT,
        host="127.0.0.1",
        config=CONFIG,
        policy=Policy.BLOCK,
        shared_memory=False,
        compression=Compression.OFF,
    )
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    done = SPAWN.Semaphore(0)
    receiver = SPAWN.Process(target=bare_receiver, args=(done, count))
    receiver.start()
    with viewer(TransportMode.TCP), stream, context, context.socket(zmq.PUSH) as sock:
        sock.sndhwm = ROTATION
        sock.connect(f"tcp://127.0.0.1:{PEER_PORT}")
        stream.wait_connected()

        def ours() -> float:
            begin = time.perf_counter()
            for _ in range(count):
                stream.send(image, copy=False)
            stream.settle(60)
            return count * image.nbytes / (time.perf_counter() - begin) / 1e9

        def bare() -> float:
            begin = time.perf_counter()
            for _ in range(count):
                sock.send_multipart(encode_array(image), copy=False)
            done.acquire()
            return count * image.nbytes / (time.perf_counter() - begin) / 1e9

        rate, floor = in_turns(rounds, ours, bare)
        sock.send(b"")
        receiver.join()
    name = "2048 x 2048 uint16 over TCP loopback, sent and acknowledged"
    report.tell(
        Figure(name, rate, "GB/s", higher_is_better=True, note=load_note()),
        Figure(name, floor, "GB/s", Side.FLOOR, "pyzmq, copy=False", bar=0.95, higher_is_better=True),
    )


def bare_receiver(done: Any, count: int) -> None:
    """Count what arrives."""
    with zmq.Context() as context, context.socket(zmq.PULL) as sock:
        sock.rcvhwm = ROTATION
        sock.bind(f"tcp://127.0.0.1:{PEER_PORT}")
        number = 0
        while len(frames := sock.recv_multipart(copy=False)) == 2:
            decode_array(frames)
            number += 1
            if number % count == 0:
                done.release()


# --- a viewer that hangs ------------------------------------------------------------------------------------------


def measure_stopped(report: Report, seconds: float) -> None:
    """Run a pipeline that produces 100 MB/s without a stream, with a viewer, and with a stopped viewer."""
    if seconds <= 0:
        return
    rounds = max(1, int(seconds))
    with viewer() as manager, ImageStream(PORT, memory_budget=256_000_000, config=CONFIG) as stream:
        stream.wait_connected()
        image = np.random.default_rng(1).integers(0, 2**16, SHAPE, np.uint16)
        pause = threading.Event()

        def make(send: bool) -> tuple[float, float]:
            """Process the images of one second; return the working time and the total time."""
            begin, busy = time.perf_counter(), 0.0
            for number in range(12):  # 12 of 8.4 MB are 100 MB
                start = time.perf_counter()
                work(image)
                if send:
                    stream.send(image, position={"site": number})
                busy += time.perf_counter() - start
                pause.wait(max(0.0, begin + (number + 1) / 12 - time.perf_counter()))
            return busy, time.perf_counter() - begin

        make(True)
        alone = [make(False) for _ in range(max(3, rounds // 10))]
        process = psutil.Process(manager.start().pid)
        before = psutil.Process().memory_info().rss
        process.send_signal(signal.SIGSTOP)
        try:
            stopped = [make(True) for _ in range(rounds)]
        finally:
            process.send_signal(signal.SIGCONT)
        grown = (psutil.Process().memory_info().rss - before) / 1e6
        counts = stream.counts
        whole = statistics.mean(t[1] for t in stopped) / statistics.mean(t[1] for t in alone)
        busy = statistics.median(t[0] for t in stopped) - statistics.median(t[0] for t in alone)
        what = "viewer stopped, 100 MB/s"
        used = f"{counts.memory_bytes / 1e6:.0f} of 256 MB budget used"
        stream.settle(60)
        skipped = f"{stream.counts.skipped} of {stream.counts.sent} images skipped"
        report.tell(
            Figure(f"{what}: time of the pipeline compared with no viewer", whole, "x", bar=1.02, note=skipped),
            Figure(f"{what}: additional working time per second", busy * 1e3, "ms", note="the copies"),
            Figure(f"{what}: memory growth of the producer", grown, "MB", note=used),
        )


def work(image: npt.NDArray[np.uint16]) -> float:
    """Work like a step of a pipeline."""
    return float(image[::4, ::4].astype(np.float32).std())


# --- cameras ------------------------------------------------------------------------------------------------------


def measure_cameras(report: Report, seconds: float) -> None:
    """Send images at a fixed rate, every one and newest first, from one process and from several at once."""
    if seconds <= 0:
        return
    for cameras, rate, latest in ((1, 100, False), (1, 100, True), (5, 20, False)):
        who = "a camera" if cameras == 1 else f"{cameras} cameras"
        how = "newest first" if latest else "every image"
        what = f"{who} at {rate} images/s of 2048 x 2048 uint16, {how}"
        runs = run_cameras(cameras, rate, latest, round(seconds * rate))
        sent, dropped = sum(run.sent for run in runs), sum(run.dropped for run in runs)
        calls = sorted(call for run in runs for call in run.calls)
        took = max(run.seconds for run in runs)
        note = f"{sent} sent, {sent - dropped} received, {dropped} dropped in {took:.1f} s"
        report.tell(
            Figure(f"{what}: received", (sent - dropped) / took, "/s", higher_is_better=True, note=note),
            Figure(f"{what}: send, median", statistics.median(calls) * 1e3, "ms"),
            Figure(f"{what}: send, 99 of 100", calls[len(calls) * 99 // 100] * 1e3, "ms"),
            Figure(f"{what}: send, longest", calls[-1] * 1e3, "ms"),
        )


@dataclass(frozen=True)
class CameraRun:
    """What one camera did: its counts once all was taken, the seconds until then and those of each call of send."""

    sent: int
    dropped: int
    seconds: float
    calls: list[float]


def run_cameras(cameras: int, rate: int, latest: bool, count: int) -> list[CameraRun]:
    """Run cameras in processes of their own, and receive here."""
    begin, results = SPAWN.Barrier(cameras), SPAWN.Queue()
    work = [SPAWN.Process(target=film, args=(number, rate, latest, count, begin, results)) for number in range(cameras)]
    with receive(PORT, latest=latest, config=CONFIG) as receiver:
        reader = threading.Thread(target=look_at_all, args=(receiver,))
        reader.start()
        for process in work:
            process.start()
        runs = [results.get(timeout=600) for _ in work]
        for process in work:
            process.join()
        receiver.close()
        reader.join()
    return runs


def look_at_all(receiver: Receiver) -> None:
    """Read some pixels of each image, as a display does."""
    for array, _ in receiver:
        array[::16, ::16].max()


def film(number: int, rate: int, latest: bool, count: int, begin: Any, results: Any) -> None:
    """Be a camera: send at a fixed rate, time each call, and wait until everything was taken."""
    image = np.random.default_rng(number).integers(0, 2**16, SHAPE, np.uint16)
    calls = []
    with Sender(PORT, name=f"camera {number}", latest=latest, timeout=60, config=CONFIG) as sender:
        sender.wait_connected(60)
        for _ in range(ROTATION):
            sender.send(image)  # the memory is made once
        sender.flush()
        before = sender.counts
        begin.wait()
        start = time.perf_counter()
        for index in range(count):
            image[0, 0] = index
            call = time.perf_counter()
            sender.send(image)
            calls.append(time.perf_counter() - call)
            time.sleep(max(0.0, start + (index + 1) / rate - time.perf_counter()))
        sender.flush()
        took, counts = time.perf_counter() - start, sender.counts
    results.put(CameraRun(counts.sent - before.sent, counts.skipped - before.skipped, took, calls))


if __name__ == "__main__":
    sys.exit(main())
