"""Texts of exceptions that can be stored in any message and file."""

import re

from zmqruntime.execution.text import one_line

__all__ = ["error_text", "natural_key", "writable"]


def error_text(error: BaseException) -> str:
    """Return kind and reason in one line, such as ``ValueError: no such file``, even if ``str(error)`` fails."""
    kind = type(error).__name__
    try:
        reason = one_line(error)
    except Exception as trouble:  # noqa: BLE001  its class is the user's
        reason = f"(its text is not available: {type(trouble).__name__})"
    return writable(f"{kind}: {reason}" if reason else kind)


def writable(text: str) -> str:
    r"""Return the text with anything that is not valid Unicode, such as a byte of a file name, as ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode()


def natural_key(value: str | float) -> list[tuple[int, float, str]]:
    """Return a sort key that orders numbers by size, also within names: A2 comes before A10."""
    if not isinstance(value, str):
        return [(0, float(value), "")]
    return [(0, float(part), "") if part.isdecimal() else (1, 0.0, part) for part in re.split(r"(\d+)", value) if part]


def file_slug(text: str) -> str:
    """Return a text that can be part of a file name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in text)[:60] or "pipeline"
