"""Texts of exceptions that can be stored in any message and file."""

from zmqruntime.execution.text import one_line

__all__ = ["error_text", "writable"]


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
