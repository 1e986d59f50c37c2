"""Panels that other packages add to the page of an execution.

A package registers a :class:`WebExtension` in the entry point group ``zmqruntime.web``. Its ES module is loaded by the
page, and asks for what it shows under ``panels/<name>/<what>``.
"""

import importlib.metadata
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from zmqruntime.execution.web.places import Place
from zmqruntime.messages import ExecutionSnapshot

__all__ = ["GROUP", "PanelAnswer", "PanelError", "PanelRequest", "WebExtension", "load_extensions"]

GROUP = "zmqruntime.web"
_log = logging.getLogger(__name__)


class PanelError(Exception):
    """An extension cannot answer; its text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class PanelRequest:
    """What the page asks an extension.

    Attributes:
        what: last part of the address.
        place: the server of the execution.
        execution: the execution, with its result unless that is longer than 8 MiB.
        query: parameters of the address.
    """

    what: str
    place: Place
    execution: ExecutionSnapshot
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PanelAnswer:
    """What an extension answers.

    Attributes:
        body: the bytes; texts from a task must be cleaned with ``zmqruntime.execution.clean``.
        media_type: what they are.
        seconds: how long a browser may keep them.
    """

    body: bytes
    media_type: str = "application/json"
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class WebExtension:
    """A panel for the page of an execution.

    Attributes:
        name: part of addresses: lower-case letters and digits.
        apps: applications whose executions have the panel.
        folder: folder with its files for the browser.
        module: name of its ES module in ``folder``, which exports ``createPanel(page)``.
        styles: name of its style sheet in ``folder``; empty for none.
        answer: answers a request of the module, in a thread. It raises :class:`PanelError` for what a user can be told.
    """

    name: str
    apps: tuple[str, ...]
    folder: Path
    module: str
    answer: Callable[[PanelRequest], PanelAnswer]
    styles: str = ""


def load_extensions() -> list[WebExtension]:
    """Return the extensions of the installed packages; one that cannot be loaded is logged and left out."""
    found: list[WebExtension] = []
    for entry in importlib.metadata.entry_points(group=GROUP):
        try:
            extension = entry.load()
        except ImportError as error:
            _log.warning("the panel %s of %s is left out: %s", entry.name, entry.value, error)
            continue
        if not isinstance(extension, WebExtension):
            _log.warning("the panel %s is left out: %s is not a WebExtension", entry.name, entry.value)
            continue
        found.append(extension)
    return found
