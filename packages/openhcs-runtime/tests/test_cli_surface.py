"""Help, version and wrong use of the command line: fast, and without loading what they do not need."""

import subprocess
import sys

import pytest

from openhcs_runtime.testing import CommandLine

SERVED = ("run", "compile", "resume", "rerun", "serve", "status", "cancel", "stop", "watch", "tui", "logs", "history")
COMMANDS = ("make-plate", "info", *SERVED, "results", "export-roi", "heatmap")


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
        ("openhcs_runtime.cli", {"numpy", "zmq", "rich"}),
        ("openhcs_runtime.cli.commands.servers", {"numpy", "skimage", "scipy", "tifffile"}),
        ("openhcs_runtime.cli.commands.executions", {"numpy", "skimage", "scipy", "tifffile"}),
        ("openhcs_runtime.cli.commands.run", {"numpy", "skimage", "scipy", "tifffile"}),
        ("openhcs_runtime.service.client", {"numpy", "typer", "rich"}),
        ("openhcs_runtime.service.server", {"numpy", "typer", "rich"}),
    ],
)
def test_nothing_heavy_is_loaded(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sorted({unwanted!r} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert loaded.stdout.split() == []


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
