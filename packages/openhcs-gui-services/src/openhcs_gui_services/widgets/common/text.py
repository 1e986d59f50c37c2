"""Names and errors as tooltips: Qt would take a tag in them for markup."""

import html

__all__ = ["plain_tooltip", "utf16_length"]


def plain_tooltip(text: str) -> str:
    """The text as it is, folded where it is long."""
    return f"<qt>{html.escape(text)}</qt>" if text else ""


def utf16_length(text: str) -> int:
    """Return the length of ``text`` in UTF-16 units, in which Qt counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
