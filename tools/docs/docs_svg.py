"""Small drawings as SVG text: boxes, arrows, and who says what to whom in which order."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

INK, PALE, ACCENT = "#1f2933", "#e8eef4", "#2f6f9f"
LINE_HEIGHT = 17
SPACING = 190


class Point(NamedTuple):
    """A place in pixels, from the left and from the top."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Says:
    """One line of a sequence: an arrow between two actors, or with ``to`` left out a note at one."""

    who: int
    to: int | None
    text: str
    is_dashed: bool = False


class Drawing:
    """Collects shapes; ``str()`` of it is the file."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self._parts: list[str] = []

    def box(self, middle: Point, text: str, width: float = 130, fill: str = PALE) -> None:
        """A box with lines of text around its middle."""
        lines = text.split("\n")
        height = 11 + LINE_HEIGHT * len(lines)
        self._parts.append(
            f'<rect x="{middle.x - width / 2:g}" y="{middle.y - height / 2:g}" width="{width:g}" height="{height:g}" '
            f'rx="6" fill="{fill}" stroke="{INK}"/>'
        )
        for number, line in enumerate(lines):
            self.text(Point(middle.x, middle.y + 4 + LINE_HEIGHT * (number - (len(lines) - 1) / 2)), line)

    def text(self, at: Point, text: str, anchor: str = "middle", size: int = 13) -> None:
        """A line of text on a baseline."""
        self._parts.append(
            f'<text x="{at.x:g}" y="{at.y:g}" text-anchor="{anchor}" font-size="{size}" fill="{INK}">'
            f"{escape(text)}</text>"
        )

    def line(self, *points: Point, is_dashed: bool = False, has_head: bool = True, color: str = ACCENT) -> None:
        """A line through points, with a head at its end."""
        path = " ".join(f"{point.x:g},{point.y:g}" for point in points)
        dash = ' stroke-dasharray="5 4"' if is_dashed else ""
        self._parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5"{dash}/>')
        if has_head:
            self._head(points[-2], points[-1], color)

    def _head(self, before: Point, tip: Point, color: str) -> None:
        length = math.dist(before, tip)
        x, y = (tip.x - before.x) / length, (tip.y - before.y) / length
        corners = [
            tip,
            Point(tip.x - 9 * x - 4 * y, tip.y - 9 * y + 4 * x),
            Point(tip.x - 9 * x + 4 * y, tip.y - 9 * y - 4 * x),
        ]
        path = " ".join(f"{corner.x:.1f},{corner.y:.1f}" for corner in corners)
        self._parts.append(f'<polygon points="{path}" fill="{color}"/>')

    def __str__(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}" height="{self.height:g}" font-family="Helvetica, Arial, sans-serif" role="img">'
        )
        ground = f'<rect width="{self.width:g}" height="{self.height:g}" rx="8" fill="white"/>'
        return "\n".join([head, f"<title>{escape(self.title)}</title>", ground, *self._parts, "</svg>\n"])


def sequence(title: str, actors: Sequence[str], lines: Sequence[Says], spacing: float = SPACING) -> str:
    """Who says what to whom: time runs downwards."""
    step, top = 34, 78
    places = [spacing * (number + 0.5) for number in range(len(actors))]
    drawing = Drawing(spacing * len(actors), top + step * len(lines) + 6, title)
    for place, actor in zip(places, actors, strict=True):
        drawing.line(Point(place, 46), Point(place, drawing.height - 14), has_head=False, color="#9aa5b1")
        drawing.box(Point(place, 28), actor, width=spacing - 40)
    for number, said in enumerate(lines):
        y = top + step * number
        if said.to is None:
            drawing.box(Point(places[said.who], y), said.text, width=spacing - 14, fill="#fdf6e3")
            continue
        here, there = places[said.who], places[said.to]
        drawing.text(Point((here + there) / 2, y - 5), said.text, size=12)
        drawing.line(Point(here, y), Point(there, y), is_dashed=said.is_dashed)
    return str(drawing)
