"""Options that are read without typer: the same values as with it, or none at all."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import typer

from openhcs_runtime.cli.declare import Argument, as_typer
from openhcs_runtime.cli.direct import read_plainly
from openhcs_runtime.cli.known import COMMANDS, command as command_named

VALUES = {
    "workers": "2",
    "dask": "local",
    "diameter": "12",
    "view": "napari",
    "view_components": "site=slider",
    "until_idle": "10m",
    "settle": "5s",
    "well": "b6",
}


def with_typer(command: Callable[..., int], typed: list[str]) -> dict[str, Any]:
    """Return what typer calls the command with."""
    seen: dict[str, Any] = {}

    @functools.wraps(as_typer(command))
    def note(**given: Any) -> int:
        seen.update(given)
        return 0

    app = typer.Typer(rich_markup_mode=None)
    app.command("it")(note)
    app.command("other")(lambda: None)
    app(args=["it", *typed], standalone_mode=False)
    return seen


def lines_of(command: Callable[..., int]) -> list[list[str]]:
    """Return command lines that together use each parameter once."""
    places: list[str] = []
    lines: list[list[str]] = []
    for name, parameter in inspect.signature(command).parameters.items():
        kind, info = parameter.annotation.__origin__, parameter.annotation.__metadata__[0]
        words = info.words or [f"--{name.replace('_', '-')}"]
        if isinstance(info, Argument):
            places.append("thing")
        elif kind is bool:
            lines.append([words[0]])
        else:
            value = VALUES.get(name, "7" if info.parser else "thing")
            lines += [[words[-1], value], [f"{words[0]}={value}"]]
    return [places, *([*line, *places] for line in lines)]


@pytest.mark.parametrize("name", COMMANDS)
def test_it_reads_what_typer_reads(name: str) -> None:
    command, is_plain = command_named(name), False
    for line in lines_of(command):
        plain = read_plainly(command, line)
        if plain is not None:
            assert plain == with_typer(command, line), line
            is_plain = True
    assert is_plain


@pytest.mark.parametrize(
    "typed",
    [
        ["demo", "--help"],
        ["demo", "--fres"],
        ["demo", "--fresh", "--fresh"],
        ["demo", "--fresh=yes"],
        ["demo", "--port"],
        ["demo", "--port", "0"],
        ["demo", "--workers", "none"],
        ["demo", "--output", "--fresh"],
        ["demo", "more"],
        ["--", "demo"],
    ],
)
def test_everything_else_is_left_to_typer(typed: list[str]) -> None:
    assert read_plainly(command_named("run"), typed) is None
    assert read_plainly(command_named("run"), ["demo"]) is not None


def test_several_folders_are_one_list() -> None:
    line = ["a", "--compare", "b c"]
    plain = read_plainly(command_named("view"), line)
    assert plain is not None
    assert plain == with_typer(command_named("view"), line)


def test_completion_is_left_to_typer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_OPENHCS_RUNTIME_COMPLETE", "complete_bash")
    assert read_plainly(command_named("run"), ["demo"]) is None
