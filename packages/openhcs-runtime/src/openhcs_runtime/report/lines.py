"""What a process that writes a report prints, one line of JSON at a time."""

import msgspec


class ReportLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line; exactly one of ``doing``, ``file`` and ``error`` is not empty.

    Attributes:
        doing: what is done next, in words.
        file: the report, which is written; this is the last line.
        left_out: what the report does not show, and why, in sentences.
        error: why there is no report; this is the last line.
    """

    doing: str = ""
    file: str = ""
    left_out: tuple[str, ...] = ()
    error: str = ""
