"""Texts of servers, plates and commands in the words of a window: the one place where they are translated."""

import re
from typing import Final

__all__ = ["waiting_text", "window_text"]

_TRANSLATIONS: Final = (
    (
        re.compile(r"no such plate: (.+?) \(name the folder that holds the images\)"),
        r"no such plate: \1; connect its drive, or remove the plate and add it again from where it is now",
    ),
    (
        re.compile(r"(.+?\.(?:csv|tsv|xlsx?)) is a file, not a plate \(name the folder that holds the images\)", re.I),
        r"\1 is a table, not a plate: add the folder that has the images; a plate map is opened in the pane Layout",
    ),
    (
        re.compile(r"(.+?) is a file, not a plate \(name the folder that holds the images\)"),
        r"\1 is a file: add the folder that has the images",
    ),
    (re.compile(r" \(name the folder that holds the images\)"), ""),
    (re.compile(r"; connect\(\) [^;]*"), "; the window looks for it, and Run starts it"),
    (re.compile(r"this client is not connected; call connect\(\) first"), "the window is not connected to its server"),
    (re.compile(r"its successor will have all it had accepted"), "nothing that was started is lost"),
    (
        re.compile(r"the worker process was (?:ended|killed) by SIGKILL( while it ran the task)?"),
        "its process was ended from outside: by another program, or because there was too little memory",
    ),
    (re.compile(r"killed by SIGKILL"), "ended from outside"),
    (
        re.compile(r"(use|with|using) --pattern, or pattern= in PipelineConfig"),
        r"\1 pattern= in the PipelineConfig of its pipeline",
    ),
    (re.compile(r" \(--replace\)"), ""),
    (
        re.compile(r"choose one with --channel, or as the key in the pipeline file"),
        "choose one in Settings > Channel, or at Channel of the step",
    ),
    (re.compile(r"choose one \(--channel\)"), "choose one"),
    (
        re.compile(r"func has a key '(.+?)', but the plate has no such (\w+) \(it has (.+?)\)"),
        r"the plate has no \2 \1: choose one of \3",
    ),
    (
        re.compile(r"not a TIFF file:? \(?header=b(?:'.*?'|\".*?\")\)?"),
        "it is empty or not a TIFF image",
    ),
    (re.compile(r"\[Errno -?\d+\] "), ""),
)
_TENS: Final = 100
_TEENS: Final = range(11, 14)


def window_text(text: str) -> str:
    """Return a message without advice that is meant for a terminal or for Python code."""
    for pattern, words in _TRANSLATIONS:
        text = pattern.sub(words, text)
    return text


def waiting_text(position: int | None) -> str:
    """Return the state of a waiting plate, such as ``Waiting (2nd)``; positions in the queue count from 1."""
    if position is None:
        return "Waiting"
    return "Waiting (next)" if position == 1 else f"Waiting ({_ordinal(position)})"


def _ordinal(number: int) -> str:
    is_teen = number % _TENS in _TEENS
    return f"{number}{'th' if is_teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
