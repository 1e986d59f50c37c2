"""Statuses, bars and tables as HTML for notebooks, readable on light and dark pages, without scripts."""

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["bar", "code", "fields", "shortened", "status_badge", "table"]

_COLOURS = {
    "queued": "#8c8c8c",
    "running": "#2f81f7",
    "cancelling": "#c98a00",
    "complete": "#2da44e",
    "failed": "#d1362f",
    "cancelled": "#c98a00",
    "interrupted": "#d1362f",
}
_CELL = "text-align:left;vertical-align:top;padding:.15em .8em .15em 0"
_TABLE = "font-size:100%;border-collapse:collapse"
_MOST_CHARACTERS = 300


def shortened(text: str, most: int = _MOST_CHARACTERS) -> str:
    """Return a text with at most ``most`` characters; a longer one ends in "…"."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def status_badge(status: str) -> str:
    """Return a status as text with a dot in its colour."""
    colour = _COLOURS.get(status, "#8c8c8c")
    return f'<span style="white-space:nowrap"><span style="color:{colour}">●</span> {escape(status)}</span>'


def bar(percent: float, status: str = "running") -> str:
    """Return a bar, and the number, for 0 to 100 percent."""
    share = min(100.0, max(0.0, percent))
    filled = f"width:{share:.1f}%;height:100%;background:{_COLOURS.get(status, '#2f81f7')}"
    outer = (
        "display:inline-block;width:8em;height:.7em;border-radius:.35em;overflow:hidden;background:rgba(128,128,128,.3)"
    )
    return (
        f'<span style="white-space:nowrap"><span role="progressbar" aria-valuenow="{share:.0f}" aria-valuemin="0" '
        f'aria-valuemax="100" style="{outer}"><span style="display:block;{filled}"></span></span> '
        f"{int(share)}&nbsp;%</span>"
    )


def code(text: str) -> str:
    """Return a text in a fixed-width font."""
    return f"<code>{escape(text)}</code>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Return a table.

    Args:
        header: text of the head of each column.
        rows: the cells of each row, as HTML.
        caption: text above the table; empty for none.
    """
    head = "".join(f'<th scope="col" style="{_CELL}">{escape(name)}</th>' for name in header)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    above = f'<div style="padding:.2em 0">{escape(caption)}</div>' if caption else ""
    inner = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div>{above}<table style="{_TABLE}">{inner}</table></div>'


def fields(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a table of names (text) and values (HTML), one pair to a row."""
    rows = (f'<tr><th scope="row" style="{_CELL}">{escape(name)}</th>{_cell(value)}</tr>' for name, value in pairs)
    return f'<table style="{_TABLE}"><tbody>{"".join(rows)}</tbody></table>'


def _cell(content: str) -> str:
    return f'<td style="{_CELL}">{content}</td>'
