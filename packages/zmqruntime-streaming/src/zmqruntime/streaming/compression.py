"""Decides by measuring whether compressing a stream's frames pays off, and calls Blosc2."""

import enum
import importlib
import importlib.util
import time
from dataclasses import dataclass
from types import ModuleType

from zmqruntime.messages import ErrorCode
from zmqruntime.streaming.exceptions import ArrayFramesError

__all__ = ["Compression", "Gauge", "compress", "decompress", "is_available", "prepare"]

_MIN_BYTES = 64 * 1024
_MAX_BYTES = 2**31 - 1024  # limit of a Blosc2 chunk
_SAMPLE_BYTES = 1024 * 1024
_SAMPLE_EVERY = 64
_MARGIN = 1.2
_WEIGHT = 0.2


class Compression(enum.StrEnum):
    """When a stream compresses frames. Segments are never compressed."""

    OFF = "off"
    AUTO = "auto"
    """Between hosts, if the connection is slow enough for it to save time and both sides have Blosc2.

    Blosc2 is installed with the extra ``compression``.
    """
    ALWAYS = "always"
    """If both sides have Blosc2."""


def is_available() -> bool:
    """Return whether Blosc2 is installed."""
    return importlib.util.find_spec("blosc2") is not None


def prepare() -> bool:
    """Import Blosc2, which takes a while; return False if it is not installed."""
    return is_available() and bool(_load())


def compress(body: memoryview, itemsize: int) -> bytes:
    """Compress to one Blosc2 chunk, with the shuffle filter and LZ4."""
    blosc2 = _load()
    chunk: bytes = blosc2.compress2(
        body, typesize=min(itemsize, 255), clevel=1, codec=blosc2.Codec.LZ4, filters=[blosc2.Filter.SHUFFLE]
    )
    return chunk


def decompress(chunk: memoryview, nbytes: int) -> bytearray:
    """Return the ``nbytes`` contained in a chunk.

    Raises:
        ArrayFramesError: it is not a chunk, or contains another number of bytes.
    """
    if not is_available():
        raise ArrayFramesError(ErrorCode.UNSUPPORTED, "Blosc2 is not installed here: zmqruntime-streaming[compression]")
    blosc2 = _load()
    try:
        held = blosc2.get_cbuffer_sizes(bytes(chunk[:32]))[0]
        if held != nbytes or len(chunk) < 32:
            raise ArrayFramesError(ErrorCode.INVALID, f"the chunk contains {held} bytes, not {nbytes}")
        body = bytearray(nbytes)
        blosc2.decompress2(chunk, dst=body)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ArrayFramesError(ErrorCode.INVALID, f"not a Blosc2 chunk: {error}") from error
    return body


@dataclass(slots=True)
class Gauge:
    """Measurements of a stream: the transfer rate and, on occasional samples, the effect of compression.

    Compressing pays off if compressing and sending the result is clearly faster than sending the original.
    """

    line_rate: float = 0.0
    """Transfer rate in bytes per second; 0 until measured."""
    speed: float = 0.0
    ratio: float = 1.0
    _since_sample: int = 0

    def note_sent(self, nbytes: int, seconds: float) -> None:
        """Note that ``nbytes`` were sent and acknowledged in ``seconds``, without the connection being idle."""
        if nbytes >= _MIN_BYTES and seconds > 0:
            rate = nbytes / seconds
            self.line_rate = rate if not self.line_rate else (1 - _WEIGHT) * self.line_rate + _WEIGHT * rate

    def is_worth_it(self, body: memoryview, itemsize: int) -> bool:
        """Return whether to compress this array."""
        if not _MIN_BYTES <= body.nbytes <= _MAX_BYTES or not self.line_rate:
            return False
        if not self.speed or self._since_sample >= _SAMPLE_EVERY:
            self._sample(body, itemsize)
        self._since_sample += 1
        plain = 1 / self.line_rate
        packed = 1 / self.speed + plain / self.ratio
        return packed * _MARGIN < plain

    def _sample(self, body: memoryview, itemsize: int) -> None:
        middle = (body.nbytes - _SAMPLE_BYTES) // 2 // itemsize * itemsize
        sample = body[max(0, middle) :][:_SAMPLE_BYTES]
        begin = time.perf_counter()
        size = len(compress(sample, itemsize))
        self.speed = sample.nbytes / max(1e-6, time.perf_counter() - begin)
        self.ratio = sample.nbytes / size
        self._since_sample = 0


def _load() -> ModuleType:
    return importlib.import_module("blosc2")  # an extra, and slow to load
