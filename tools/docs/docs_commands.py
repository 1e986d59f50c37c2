"""The page of the command ``openhcs-runtime``, from what its commands declare."""

import enum
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

from openhcs_runtime.cli.commands import omero
from openhcs_runtime.cli.declare import Argument, Parameter
from openhcs_runtime.cli.known import COMMANDS, command
from openhcs_runtime.cli.options import Host, Json, Port

PROGRAM = "openhcs-runtime"
EVERYWHERE = (Port, Host, Json)

INTRODUCTION = f"""# The command `{PROGRAM}`

This page is written by `tools/docs/docs_pages.py` from the command line itself;
`{PROGRAM} COMMAND --help` says the same.

| option | for every command that needs it |
|---|---|
| `--port P` | data port of the server; its control port is 1000 higher [default: 7777] |
| `--host H` | connect over TCP to this address [default: this user's socket file]; [more](howto-remote-server.md) |
| `--json` | print one JSON document and nothing else; after a failure it has `error` with `kind` and `message` |

| exit code | |
|---|---|
| 0 | success |
| 1 | failure, or a negative answer; also for a command that needs a server where none is running |
| 2 | usage error: a bad argument, plate, pipeline or folder, an unknown ID, a port that something else holds |
| 130 | interrupted with Ctrl-C |

`status` and `stop` exit with 0 where no server is running, as those of [`zmqruntime`](command-zmqruntime.md) do:
`status` says so, and with `--json` its `server` is `null`. While no server is running, `status`, `history` and `logs`
read what it has left on disk and say so (`from_disk` with `--json`); what was interrupted is listed first, and
`resume` goes on with it. `results` never needs a server.

An ID is what `run`, `status` and `history` show; any unique prefix of it works.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(describe(name, function) for name, function in commands())])


def commands() -> Iterator[tuple[str, typing.Callable[..., int]]]:
    """The commands and those of groups, with the function of each."""
    for name in COMMANDS:
        yield name, command(name)
    for function in (omero.start, omero.status, omero.stop):
        yield f"omero {function.__name__}", function


def describe(name: str, function: typing.Callable[..., typing.Any]) -> str:
    """One command: usage, help, arguments and options."""
    rows, arguments, options = [], [], False
    for parameter, annotation in typing.get_type_hints(function, include_extras=True).items():
        info = next((found for found in typing.get_args(annotation)[1:] if isinstance(found, Parameter)), None)
        if info is None:
            continue
        kind, default = typing.get_args(annotation)[0], inspect.signature(function).parameters[parameter].default
        if isinstance(info, Argument):
            shown = info.metavar or parameter.upper()
            is_needed = default is inspect.Parameter.empty
            arguments.append(shown if is_needed or shown.startswith("[") else f"[{shown}]")
        else:
            shown, options = option(parameter, info, kind), True
            if annotation in EVERYWHERE:
                continue
        rows.append(f"| `{cell(shown)}` | {cell(info.help or '')}{said_default(default)} |")
    table = ["| | |", "|---|---|", *rows, ""] if rows else []
    usage = " ".join(part for part in (PROGRAM, name, "[OPTIONS]" if options else "", *arguments) if part)
    return "\n".join([f"## `{name}`\n", f"```text\n{usage}\n```\n", prose(inspect.getdoc(function) or ""), *table])


def option(parameter: str, info: Parameter, kind: object) -> str:
    """An option as it is typed."""
    names = [each for each in info.words if each.startswith("-")]
    name = ", ".join(names) or f"--{parameter.replace('_', '-')}"
    plain = plain_type(kind)
    if plain is bool:
        return name
    choices = "|".join(plain) if issubclass(plain, enum.StrEnum) else plain.__name__.upper()
    return f"{name} {info.metavar or choices}"


def plain_type(kind: object) -> type:
    """What one value is, of one that may be left out or given several times."""
    parts = typing.get_args(kind)
    return next((plain_type(part) for part in parts if part is not type(None)), kind if isinstance(kind, type) else str)


def said_default(default: object) -> str:
    """The default in the words of the table; nothing if there is none, or if the help says it."""
    if default is inspect.Parameter.empty or default is None or isinstance(default, bool | Path):
        return ""
    return f" [default: {default}]"


def prose(text: str) -> str:
    r"""Help as Markdown: paragraphs that begin with \b are commands or code, laid out as they are."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", text):
        first, _, rest = paragraph.partition("\n")
        if first.strip() in ("\b", "\\b"):
            code = re.sub(
                r"^((?:from|import) .*\n)(?!from |import |\n)", r"\1\n", inspect.cleandoc(rest), flags=re.MULTILINE
            )
            parts.append(f"```{'bash' if code.startswith(PROGRAM) else 'python'}\n{code}\n```\n")
        else:
            parts.append(paragraph + "\n")
    return "\n".join(parts)


def cell(text: str) -> str:
    """Text in a table."""
    return " ".join(text.split()).replace("|", "\\|")
