"""How far a page has read the events of an execution, so that after a lost connection it misses and doubles nothing."""

import re
from dataclasses import dataclass

__all__ = ["START", "Cursor"]

_TEXT = re.compile(r"p(\d{1,15})l(\d{1,15})s(\d{1,15})n(\d{1,15})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The latest of each kind of event that a page has.

    These are the numbers that events have from the execution server, which does not change them. So they stay right
    when the web process, or the server, is started again.

    Attributes:
        progress: sequence of the latest progress update.
        log: sequence of the latest log line of the task.
        state: sequence of the latest change of status.
        notes: how many log lines without a sequence there were; they are the server's own.
    """

    progress: int = 0
    log: int = 0
    state: int = 0
    notes: int = 0

    def __str__(self) -> str:
        return f"p{self.progress}l{self.log}s{self.state}n{self.notes}"

    def is_beyond(self, other: "Cursor") -> bool:
        """Whether it has read something that ``other`` does not have."""
        return self.progress > other.progress or self.log > other.log or self.state > other.state

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read what ``str`` has written; anything else is the start."""
        match = _TEXT.fullmatch(text)
        return START if match is None else cls(*map(int, match.groups()))


START = Cursor()
