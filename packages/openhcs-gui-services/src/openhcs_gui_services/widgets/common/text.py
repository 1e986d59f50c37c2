"""Text helpers for Qt: tooltips that are not interpreted as markup, and lengths in UTF-16 units."""

import html

__all__ = ["plain_tooltip", "utf16_length"]


def plain_tooltip(text: str) -> str:
    """Return a tooltip that shows ``text`` literally and wraps long lines."""
    return f"<qt>{html.escape(text)}</qt>" if text else ""


def utf16_length(text: str) -> int:
    """Return the length of ``text`` in UTF-16 code units, as counted by Qt."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
