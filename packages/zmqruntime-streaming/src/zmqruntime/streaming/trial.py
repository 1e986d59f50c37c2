"""Programs to try a connection with: a camera that sends test images, and a receiver that says what arrives."""

import itertools
import math
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from zmqruntime.config import ZMQConfig
from zmqruntime.streaming.exceptions import StreamTimeoutError
from zmqruntime.streaming.inbox import SenderCounts
from zmqruntime.streaming.receiver import Receiver
from zmqruntime.streaming.sender import Sender

__all__ = ["camera", "watch"]

_FOR_EVER = 1e9  # until Ctrl-C
_NOTHING = SenderCounts(received=0, dropped=0)


def camera(port: int, *, host: str | None, side: int, fps: float, frames: int | None, config: ZMQConfig) -> None:
    """Send a moving pattern at a fixed rate, drop images that are not taken in time, and print the counts at the end.

    Args:
        port: port of the receiver.
        host: its host, if it is on another machine.
        side: pixels of a side of the images, which are uint16.
        fps: images per second.
        frames: how many to send [default: until Ctrl-C].
        config: configuration shared with the receiver.
    """
    image = _spots(side)
    with Sender(port, host=host, name="camera", latest=True, config=config) as sender:
        print(f"waiting for a receiver on port {port}", flush=True)
        sender.wait_connected(_FOR_EVER)
        begin = time.monotonic()
        try:
            for number in itertools.count() if frames is None else range(frames):
                sender.send(np.roll(image, number, axis=0), number=number)
                time.sleep(max(0.0, begin + (number + 1) / fps - time.monotonic()))
        finally:
            counts = sender.counts
            print(f"{counts.sent} images sent, {counts.skipped} dropped")


def _spots(side: int) -> npt.NDArray[np.uint16]:
    """Return an image of four by four bright spots."""
    wave = np.sin(np.linspace(0, 4 * np.pi, side, endpoint=False)) ** 4
    return (np.outer(wave, wave) * 60_000).astype(np.uint16)


def watch(port: int, *, host: str | None, latest: bool, seconds: int | None, config: ZMQConfig) -> None:
    """Print once a second what arrives from which sender.

    Args:
        port: port to receive on.
        host: address to listen on for senders on other machines.
        latest: whether to drop arrays for newer ones.
        seconds: how long [default: until Ctrl-C].
        config: configuration shared with the senders.
    """
    with Receiver(port, host=host, latest=latest, config=config) as receiver:
        print(f"receiving on port {port}", flush=True)
        before: dict[str, SenderCounts] = {}
        for _ in itertools.count() if seconds is None else range(seconds):
            last = _receive_until(receiver, time.monotonic() + 1.0)
            counts = receiver.counts
            for name, now in counts.senders.items():
                _print_line(name, now, before.get(name, _NOTHING), last.get(name))
            before = counts.senders


def _receive_until(receiver: Receiver, deadline: float) -> dict[str, npt.NDArray[Any]]:
    """Receive until a moment; return the last array of each sender."""
    last: dict[str, npt.NDArray[Any]] = {}
    while (left := deadline - time.monotonic()) > 0:
        try:
            array, meta = receiver.get(timeout=left)
        except StreamTimeoutError:
            break
        last[meta.sender] = array
    return last


def _print_line(name: str, now: SenderCounts, before: SenderCounts, last: npt.NDArray[Any] | None) -> None:
    received, dropped = now.received - before.received, now.dropped - before.dropped
    if last is None:
        print(f"{name:20} {received:5}/s  {dropped:5} dropped", flush=True)
        return
    shape = " x ".join(str(size) for size in last.shape) or "one number"
    rate = received * math.prod(last.shape) * last.itemsize / 1e6
    print(f"{name:20} {received:5}/s  {dropped:5} dropped  {shape} {last.dtype}  {rate:,.0f} MB/s", flush=True)
