"""The page of the command ``openhcs-runtime``, from the functions that typer makes its commands of."""

import enum
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.models import ArgumentInfo, OptionInfo

from openhcs_runtime.cli.app import app
from openhcs_runtime.cli.options import Host, Json, Port

PROGRAM = "openhcs-runtime"
EVERYWHERE = (Port, Host, Json)

INTRODUCTION = f"""# The command `{PROGRAM}`

This page is written by `tools/docs/docs_pages.py` from the command line itself;
`{PROGRAM} COMMAND --help` says the same.

| option | of every command that has something to do with it |
|---|---|
| `--port P` | the data port of the server, 7777 unless it is named; the control port is 1000 higher |
| `--host H` | TCP and this address, instead of a socket file of this user; [more](howto-remote-server.md) |
| `--json` | one JSON document and nothing else; for a failure it has `error` with `kind` and `message` |

| exit code | |
|---|---|
| 0 | done |
| 1 | it failed, or the answer is no |
| 2 | wrong use |
| 130 | Ctrl-C |

An ID is what `run`, `status` and `history` show; the beginning of it is enough.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(describe(name, function) for name, function in commands(app))])


def commands(within: typer.Typer, before: str = "") -> Iterator[tuple[str, typing.Callable[..., typing.Any]]]:
    """The commands and those of groups, with the function of each."""
    for command in within.registered_commands:
        if command.callback is not None and not command.hidden:
            yield f"{before}{command.name or command.callback.__name__}", command.callback
    for group in within.registered_groups:
        if group.typer_instance is not None and not group.hidden:
            yield from commands(group.typer_instance, f"{before}{group.name or group.typer_instance.info.name} ")


def describe(name: str, function: typing.Callable[..., typing.Any]) -> str:
    """One command: usage, help, arguments and options."""
    rows, arguments, options = [], [], False
    for parameter, annotation in typing.get_type_hints(function, include_extras=True).items():
        info = next(
            (found for found in typing.get_args(annotation)[1:] if isinstance(found, ArgumentInfo | OptionInfo)), None
        )
        if info is None:
            continue
        kind, default = typing.get_args(annotation)[0], inspect.signature(function).parameters[parameter].default
        if isinstance(info, ArgumentInfo):
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


def option(parameter: str, info: OptionInfo, kind: object) -> str:
    """An option as it is typed."""
    declared = [info.default, *(info.param_decls or ())]  # of Annotated's options the first one is kept as a default
    names = [each for each in declared if isinstance(each, str) and each.startswith("-")]
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
    """The default in the words of the table; nothing where there is none, or where the help says it."""
    if default is inspect.Parameter.empty or default is None or isinstance(default, bool | Path):
        return ""
    return f" Default: `{default}`."


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
