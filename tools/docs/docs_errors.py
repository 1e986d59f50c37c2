"""The page of errors, from the exceptions modules of the packages."""

import inspect
import re
from types import ModuleType

from docs_texts import attribute_docs, in_line

import openhcs_gui_services.exceptions
import openhcs_runtime.exceptions
import zmqruntime.exceptions
import zmqruntime.execution.exceptions
import zmqruntime.streaming.exceptions
from zmqruntime.messages import ErrorCode

MODULES = {
    "Core": zmqruntime.exceptions,
    "Execution": zmqruntime.execution.exceptions,
    "Streaming": zmqruntime.streaming.exceptions,
    "Runtime": openhcs_runtime.exceptions,
    "GUI services": openhcs_gui_services.exceptions,
}
INTRODUCTION = """# Errors

This page is written by `tools/docs/docs_pages.py` from the exceptions modules. Each package has one such module, and
one base class that catches all that the package raises on purpose. The text of an error names the thing and the remedy.

`zmqruntime` raises errors below `ZMQRuntimeError`, also in its execution and streaming layers; `openhcs_runtime` those
below `OpenHCSError`, `openhcs_gui_services` those below `GuiServicesError`. A wrong argument of a call may also be an
ordinary `TypeError` or `ValueError`. Those that are a `TimeoutError` as well can be caught as one.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for title, module in MODULES.items():
        parts += [f"## {title}\n", f"`{module.__name__}`\n", table(module)]
    codes = attribute_docs(ErrorCode)
    rows = [f"| `{code.value}` | {codes[code.name]} |" for code in ErrorCode]
    parts += [
        "## Codes of refused requests\n",
        "`RequestRefusedError.code`, and the field `code` of an `error` on the wire.\n",
        "\n".join(["| code | |", "|---|---|", *rows, ""]),
    ]
    return "\n".join(parts)


def table(module: ModuleType) -> str:
    """The errors of a module, in the order of its source."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseException) and value.__module__ == module.__name__
    ]
    rows = [f"| `{error.__name__}` | {parents(error)} | {said(error)} |" for error in found]
    return "\n".join(["| error | is a | meaning |", "|---|---|---|", *rows, ""])


def parents(error: type[BaseException]) -> str:
    """What it can be caught as, apart from the base of all."""
    return ", ".join(f"`{base.__name__}`" for base in error.__bases__)


def said(error: type[BaseException]) -> str:
    """What its docstring says before its sections, in one line of a table."""
    return in_line(re.split(r"^(?:Args|Attributes):$", inspect.getdoc(error) or "", flags=re.MULTILINE)[0])
