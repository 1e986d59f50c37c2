"""How far ahead executions are handed to workers, and which ones are, on disk."""

from typing import Final

import msgspec

from zmqruntime.codec import encode
from zmqruntime.execution.server.damage import crc_of, is_intact

__all__ = ["HandedOver", "Pace"]

_MOST_AHEAD: Final = 32
_AHEAD_SECONDS: Final = 0.02
_SMOOTHING: Final = 0.2
_LONGEST_SECONDS: Final = 1.0
_MOST_NAMES: Final = 1000


class Pace:
    """Learns from executions of each name how many of the next ones a worker gets ahead: about 0.02 s of work.

    Attributes:
        patience_seconds: For how long the first execution of a worker may delay those that the worker has ahead.
    """

    patience_seconds: float = 0.05

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def note(self, name: str, seconds: float) -> None:
        """Note how long an execution has taken."""
        taken = min(seconds, _LONGEST_SECONDS)
        before = self._seconds.pop(name, taken)
        self._seconds[name] = before + _SMOOTHING * (taken - before)
        if len(self._seconds) > _MOST_NAMES:
            del self._seconds[next(iter(self._seconds))]

    def ahead(self, name: str) -> int:
        """Return how many executions of this name can wait at one worker; 0 if it is not known how long they take."""
        seconds = self._seconds.get(name)
        return 0 if seconds is None else min(_MOST_AHEAD, int(_AHEAD_SECONDS / max(seconds, 1e-6)))


class HandedOver(msgspec.Struct, frozen=True, kw_only=True):
    """What workers had been handed ahead, as of a commit.

    Attributes:
        boot: What identifies the start of the machine at that time.
        runs: Number and attempt of each execution.
    """

    boot: str
    runs: list[tuple[int, int]]

    def row(self) -> tuple[bytes, int]:
        """Return it as it is stored."""
        content = encode(self)
        return content, crc_of(content)

    @classmethod
    def read(cls, content: bytes, crc: object) -> "HandedOver | None":
        """Return what was stored; None if it is damaged."""
        try:
            return msgspec.msgpack.decode(content, type=cls) if is_intact(crc, content) else None
        except msgspec.MsgspecError:
            return None
