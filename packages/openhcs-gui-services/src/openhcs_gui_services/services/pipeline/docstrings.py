"""Docstrings of functions as rich text for readers: no markup, sections with titles, arguments as a list."""

import html
import re
from collections.abc import Collection
from typing import Final

__all__ = ["inline_html", "plain", "to_html"]

_CODE: Final = re.compile(r"``(.+?)``|`([^`]+?)`(?:_+)?")
_ROLE: Final = re.compile(r":[a-z]+:(?=`)")
_SECTION: Final = re.compile(r"^(Args|Arguments|Returns|Raises|Yields|Attributes|Example|Examples|Note|Notes):\s*$")
_ENTRY: Final = re.compile(r"^(\*{0,2}\w+)(?: \([^)]*\))?:\s+(.*)$")
_TITLES: Final = {"Args": "Parameters", "Arguments": "Parameters"}
_LISTED: Final = {"Args", "Arguments"}
_LEFT_OUT: Final = {"Returns", "Raises", "Yields"}
_PASSED_ON: Final = "; the stack is passed on"


def plain(text: str) -> str:
    """Return text without the marks of code in it."""
    return _CODE.sub(lambda found: found[1] or found[2], _ROLE.sub("", text)).replace(_PASSED_ON, "")


def inline_html(text: str) -> str:
    """Return one paragraph as HTML, with code in a fixed font instead of in backticks."""
    parts: list[str] = []
    at = 0
    text = _ROLE.sub("", text).replace(_PASSED_ON, "")
    for found in _CODE.finditer(text):
        parts.append(html.escape(text[at : found.start()]))
        parts.append(f"<code>{html.escape(found[1] or found[2])}</code>")
        at = found.end()
    return "".join(parts) + html.escape(text[at:])


def to_html(text: str, shown: Collection[str]) -> str:
    """Return a docstring in Google's style as HTML: paragraphs and a list of parameters, for those who use a form.

    Args:
        text: the docstring.
        shown: the parameters to list; what the program passes, and what the function returns, is left out.
    """
    parts: list[str] = []
    section = ""
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.splitlines() or [""]
        found = _SECTION.match(lines[0].strip())
        if found:
            section = found[1]
            lines = lines[1:]
            if section not in _LEFT_OUT and (section not in _LISTED or shown):
                parts.append(f"<p><b>{_TITLES.get(section, section)}</b></p>")
        elif not block.startswith(" "):
            section = ""
        if section in _LEFT_OUT:
            continue
        if section in _LISTED:
            parts.append(_listed(lines, shown))
        elif any(lines):
            parts.append(f"<p>{inline_html(' '.join(line.strip() for line in lines))}</p>")
    return "".join(parts)


def _listed(lines: list[str], shown: Collection[str]) -> str:
    """Return ``name: text`` lines as a list; lines that are indented further go on with the entry."""
    entries: list[list[str]] = []
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    for line in lines:
        is_new = len(line) - len(line.lstrip()) == indent
        if is_new or not entries:
            entries.append([line.strip()])
        else:
            entries[-1].append(line.strip())
    found = [each for entry in entries if (each := _ENTRY.match(" ".join(entry))) and each[1] in shown]
    return "".join(f"<p><code>{html.escape(each[1])}</code>: {inline_html(each[2])}</p>" for each in found)
