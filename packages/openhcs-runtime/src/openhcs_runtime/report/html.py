"""Builds HTML and SVG out of elements; every text and every attribute is escaped."""

import html
import re
from dataclasses import dataclass

from openhcs_runtime.exceptions import storable

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]")
"""Characters that HTML does not allow, or that change the direction of the text after them."""
_EMPTY = frozenset({"br", "img", "input", "meta", "rect", "circle", "line", "path", "image", "stop", "polyline", "use"})

Attribute = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Html:
    """A piece of HTML in which everything is escaped that has to be."""

    code: str

    def __bool__(self) -> bool:
        return bool(self.code)


NOTHING = Html("")


def element(name: str, /, *children: Html | str, **attributes: Attribute) -> Html:
    """Return an element.

    Args:
        name: its name, such as ``table``.
        children: its content; a ``str`` is text and is escaped.
        attributes: its attributes; ``class_`` is written ``class`` and ``data_well`` is written ``data-well``. False
            leaves an attribute out, and True writes it without a value.
    """
    start = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    if name in _EMPTY and not children:
        return Html(f"<{name}{start}/>" if name not in {"br", "img", "input", "meta"} else f"<{name}{start}>")
    return Html(f"<{name}{start}>{joined(*children).code}</{name}>")


def joined(*children: Html | str) -> Html:
    """Return pieces one after the other; a ``str`` is text and is escaped."""
    return Html("".join(child.code if isinstance(child, Html) else escaped(child) for child in children))


def escaped(text: str) -> str:
    r"""Return a text as HTML; characters that HTML does not allow become ``\x1b`` and the like."""
    return html.escape(_CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), storable(text)))


def raw(code: str) -> Html:
    """Return HTML that is written in this package, such as its style."""
    return Html(code)


def _attribute(key: str, value: Attribute) -> str:
    if value is False:
        return ""
    if value is True:
        return f" {key}"
    return f' {key}="{_number(value) if isinstance(value, float) else escaped(str(value))}"'


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
