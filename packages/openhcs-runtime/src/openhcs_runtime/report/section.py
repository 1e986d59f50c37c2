"""A section of a report: its heading, its content, and what it could not show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from openhcs_runtime.report.html import NOTHING, Html, element, joined

_LONG = 40
"""Letters from which on a text in a table needs a wide column."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a report.

    Attributes:
        name: its name in links.
        title: its heading.
        content: what is below the heading.
        left_out: what it could not show, in whole sentences.
    """

    name: str
    title: str
    content: Html
    left_out: tuple[str, ...] = ()

    def noting(self, sentence: str) -> "Section":
        """Return the section with another sentence about what it does not show, the first; unchanged if it is empty."""
        return replace(self, left_out=(sentence, *self.left_out)) if sentence else self

    def draw(self) -> Html:
        """Return the section."""
        heading = element("h2", self.title, id=f"{self.name}-title")
        missing = [paragraph(sentence, "quiet") for sentence in self.left_out]
        return element("section", heading, self.content, *missing, id=self.name, aria_labelledby=f"{self.name}-title")


def paragraph(content: Html | str, style: str = "") -> Html:
    """Return a paragraph."""
    return element("p", content, class_=style or False)


def table(
    name: str, titles: Sequence[str], rows: Iterable[Sequence[Html | str | float | int | None]], caption: str = ""
) -> Html:
    """Return a table that scrolls within its frame; the first cell of a row is its heading.

    Args:
        name: what the table shows, for people who can't see it.
        titles: headings of the columns.
        rows: the cells; numbers are aligned to the right, and None is an empty cell.
        caption: a line above it; empty for none.
    """
    lines = [list(row) for row in rows]
    is_number = [
        bool(lines) and all(isinstance(line[column], int | float | None) for line in lines)
        for column in range(len(titles))
    ]
    head = [
        element("th", title, scope="col", class_="number" if number else False)
        for title, number in zip(titles, is_number, strict=True)
    ]
    body = [element("tr", *(_cell(cell, first=not place) for place, cell in enumerate(line))) for line in lines]
    above = element("caption", caption) if caption else NOTHING
    whole = element("table", above, element("thead", element("tr", *head)), element("tbody", *body))
    return element("div", whole, class_="table", tabindex=0, role="region", aria_label=name)


def definition_list(pairs: Iterable[tuple[str, Html | str]], style: str = "list") -> Html:
    """Return names with their values; pairs without a value are left out."""
    lines = [joined(element("dt", name), element("dd", value)) for name, value in pairs if value]
    return element("dl", *lines, class_=style)


def number(value: float | int | None) -> str:
    """Return a number with five digits at most; a hyphen if there is none."""
    if value is None or value != value:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.5g}"


def _cell(cell: Html | str | float | int | None, *, first: bool) -> Html:
    is_number = cell is None or isinstance(cell, int | float)
    text = number(cell) if isinstance(cell, int | float) or cell is None else cell
    is_long = isinstance(cell, str) and len(cell) > _LONG
    style: str | bool = "number" if is_number and not first else "long" if is_long else False
    return element("th", text, scope="row") if first else element("td", text, class_=style)
