"""Text from tasks made harmless for a person: terminal codes are removed, other control characters become visible.

This is about what plain text can do to a terminal or a page: colour codes, movements of the cursor, and the invisible
characters of Unicode that change the direction of what follows.
"""

import re

__all__ = ["CUT", "clean", "clean_line"]

CUT = " …"
"""What ends a text that was too long."""

# Control sequences, operating system commands and the other escape sequences of ECMA-48.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\|$)|[ -/]*[0-~])", re.DOTALL)
# C0 without tab and new line, DEL, C1, and the marks of direction of UAX 9.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


def clean(text: str, most: int | None = 20_000) -> str:
    """Return the text without terminal codes and with control characters as symbols.

    Args:
        text: what to clean.
        most: after how many characters it is cut; None to keep all of it.
    """
    cut = text if most is None or len(text) <= most else text[:most] + CUT
    return _CONTROLS.sub(_visible, _ESCAPES.sub("", cut.replace("\r\n", "\n")))


def clean_line(text: str, most: int = 300) -> str:
    """Return the text on one line; see :func:`clean`."""
    return " ".join(clean(text, most).split())


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
