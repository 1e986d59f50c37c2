"""What exceptions say, as text that every message and file can hold."""

from zmqruntime.execution.text import one_line

__all__ = ["error_text", "writable"]


def error_text(error: BaseException) -> str:
    """Kind and reason in one line: `ValueError: no such file`; also of an exception that can't say its reason."""
    kind = type(error).__name__
    try:
        reason = one_line(error)
    except Exception as trouble:  # noqa: BLE001  its class is the user's
        reason = f"(its text can't be had: {type(trouble).__name__})"
    return writable(f"{kind}: {reason}" if reason else kind)


def writable(text: str) -> str:
    r"""The text with what is not Unicode, such as a byte of a file name, written as `\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode()
