"""Names and errors as tooltips: Qt would take a tag in them for markup."""

import html

__all__ = ["plain_tooltip"]


def plain_tooltip(text: str) -> str:
    """The text as it is, folded where it is long."""
    return f"<qt>{html.escape(text)}</qt>" if text else ""
