"""Help, version and wrong use of the command line: fast, and without loading what they do not need."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from openhcs_runtime.cli.app import app
from openhcs_runtime.testing import CommandLine

SERVED = ("run", "compile", "resume", "rerun", "serve", "status", "cancel", "stop", "watch", "tui", "logs", "history")
COMMANDS = (
    "make-plate",
    "info",
    "preview",
    *SERVED,
    "results",
    "table",
    "view",
    "export-roi",
    "heatmap",
    "profile",
    "report",
)


def test_help_teaches_every_command(shared_command: CommandLine) -> None:
    overview = shared_command("--help")
    assert overview.code == 0
    assert shared_command().stdout == overview.stdout
    pages = shared_command.together(*((name, "--help") for name in COMMANDS))
    for name, page in zip(COMMANDS, pages, strict=True):
        assert f"\n  {name} " in overview.stdout
        assert page.code == 0
        assert f"    openhcs-runtime {name}" in page.stdout, "an example"
        assert "--json" in page.stdout


def test_every_option_that_takes_a_value_says_what_it_is_when_left_out() -> None:
    silent = [name for name, page in _option_helps(typer.main.get_command(app)) if "[default: " not in page]
    assert silent == []


def _option_helps(command: Any, parent: Any = None) -> Iterator[tuple[str, str]]:
    """The name and the help of each option that takes a value, of a command and those below it."""
    context = command.make_context(command.name, [], parent=parent, resilient_parsing=True)
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if parameter.param_type_name == "option" and record is not None and not parameter.is_flag:
            yield f"{context.command_path} {parameter.name}", record[1]
    for each in getattr(command, "commands", {}).values():
        yield from _option_helps(each, context)


def test_version(shared_command: CommandLine) -> None:
    finished = shared_command("--version")
    assert finished.code == 0
    assert finished.stdout.startswith("openhcs-runtime 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("frobnicate",),
        ("run", "plate", "--frobnicate"),
        ("run", "plate", "--workers", "0"),
        ("run", "a", "b"),
    ],
)
def test_wrong_use(shared_command: CommandLine, arguments: tuple[str, ...]) -> None:
    finished, as_json = shared_command.both(*arguments)
    assert (finished.code, finished.stdout) == (2, "")
    assert finished.stderr.startswith("Error: ")
    assert "--help" in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert as_json.document["error"]["kind"] == "usage"
    assert as_json.document["exit_code"] == as_json.code == 2


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("openhcs_runtime.cli.typed, openhcs_runtime.cli.commands.run", {"typer", "zmq", "msgspec", "numpy"}),
        ("openhcs_runtime.cli.app", {"numpy", "zmq", "msgspec", "rich", "psutil", "asyncio"}),
        ("openhcs_runtime.cli.executions_view", {"numpy", "skimage", "scipy", "tifffile"}),
        ("openhcs_runtime.cli.running, openhcs_runtime.cli.plate_tasks", {"numpy", "skimage", "scipy", "tifffile"}),
        ("openhcs_runtime.service.client", {"numpy", "typer", "rich"}),
        ("openhcs_runtime.service.server", {"numpy", "typer", "rich"}),
    ],
)
def test_nothing_heavy_is_loaded(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sorted({unwanted!r} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert loaded.stdout.split() == []


def test_status_without_a_server_loads_nothing_that_speaks_to_one(tmp_path: Path) -> None:
    code = "import sys; from openhcs_runtime.cli import main; main(); print(*sys.modules)"
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, "status"], env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    said, loaded = done.stdout.splitlines()
    assert said.startswith("No server is running")
    modules = loaded.split()
    assert not {"zmq", "sqlite3", "rich", "typer", "asyncio", "logging", "numpy"}.intersection(modules)
    commands = [name for name in modules if name.startswith("openhcs_runtime.cli.commands.")]
    assert commands == ["openhcs_runtime.cli.commands.status"]


def test_make_plate(shared_command: CommandLine) -> None:
    options = ("--sites", "1", "--size", "64")
    hard = ("--diameter", "12", "--haze", "0.5", "--clumping", "0.6", "--dead", "0.1", "--truth-labels")
    finished, for_people = shared_command.together(
        ("make-plate", "made", "--wells", "2", *options, *hard, "--json"),
        ("make-plate", "other", "--wells", "1", *options),
    )
    assert finished.code == 0
    document = finished.document
    assert (document["wells"], document["images"]) == (2, 4)
    folder = shared_command.home / "made"
    assert document["plate_path"] == str(folder.resolve())
    assert len(list(folder.rglob("*.tif"))) == 4
    assert (folder / "truth_labels.npz").is_file()
    assert "1 well, 2 images" in for_people.stdout
