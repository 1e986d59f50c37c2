"""The commands by name; the module of one is imported when it is needed, and loads next to nothing by itself."""

import importlib
from collections.abc import Callable

__all__ = ["COMMANDS", "PROGRAM", "command", "version_line"]

PROGRAM = "openhcs-runtime"

_OTHER_NAMES = {"compile": "compile_"}

COMMANDS = (
    "make-plate",
    "info",
    "run",
    "compile",
    "preview",
    "resume",
    "rerun",
    "serve",
    "status",
    "cancel",
    "stop",
    "watch",
    "tui",
    "web",
    "logs",
    "history",
    "results",
    "table",
    "view",
    "heatmap",
    "profile",
    "report",
    "export-roi",
)
"""In the order of the help."""


def command(name: str) -> Callable[..., int]:
    """Return the function of a command."""
    module = name.replace("-", "_")
    found: Callable[..., int] = getattr(
        importlib.import_module(f"openhcs_runtime.cli.commands.{module}"), _OTHER_NAMES.get(name, module)
    )
    return found


def version_line() -> str:
    """Return what ``--version`` prints."""
    import importlib.metadata  # noqa: PLC0415 - takes 10 ms

    return f"{PROGRAM} {importlib.metadata.version(PROGRAM)}"
