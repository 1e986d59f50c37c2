"""What the pages in docs/ show works as it stands: scripts run, commands exist."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

pytestmark = pytest.mark.skipif(find_spec("zmqruntime") is None, reason="no package is installed")


def run(folder: Path, *arguments: str) -> str:
    """Run Python in a folder that is its home as well; gives what it printed."""
    home = {"HOME": str(folder), "USERPROFILE": str(folder), "LOCALAPPDATA": str(folder)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")} | home
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def film() -> Iterator[Path]:
    """A new folder with the scripts of the page; its server is stopped afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="film", dir="/tmp" if os.name == "posix" else None))  # sockets: short paths
    text = (DOCS / "howto-task-server.md").read_text(encoding="utf-8")
    for name, script in re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        (folder / name).write_text(script, encoding="utf-8")
    yield folder
    run(folder, "-m", "zmqruntime.execution.cli", "stop")
    shutil.rmtree(folder)


def test_the_film_is_rendered_watched_and_cancelled(film: Path) -> None:
    lines = run(film, "run.py").splitlines()
    assert lines[-1] == f"complete 8 frames in {film}"
    assert lines[-2] == "100 %"
    frames = sorted(film.glob("*.pgm"))
    assert len(frames) == 8
    assert frames[7].read_bytes().startswith(b"P5 96 64 255\n")
    assert len(set(frames[7].read_bytes()[13:])) > 5, "a picture, not one shade"
    said, ended = run(film, "cancel.py").splitlines()
    assert "will stop at its next check" in said
    assert ended == "cancelled"
    assert {path.stat().st_size for path in film.glob("*.pgm")} == {frames[0].stat().st_size}
    assert "\n" in run(film, "-m", "zmqruntime.execution.cli", "history", "--limit", "5")


def shown_commands() -> list[str]:
    """Every line of the pages that is typed into a terminal."""
    pages = sorted(DOCS.glob("*.md"))
    return [
        line
        for page in pages
        for line in re.findall(r"^    (zmqruntime .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]


def test_every_command_that_is_shown_can_be_typed() -> None:
    from zmqruntime.execution.cli.surface import make_parser

    commands = shown_commands()
    assert len(commands) > 5
    for command in commands:
        make_parser().parse_args(shlex.split(command)[1:])


def test_the_page_of_the_command_names_every_command() -> None:
    from zmqruntime.execution.cli.surface import make_parser

    page = (DOCS / "command-zmqruntime.md").read_text(encoding="utf-8")
    listed = re.findall(r"^    ([a-z]+) +\w", make_parser().format_help().partition("commands:")[2], re.MULTILINE)
    assert len(listed) >= 10
    assert [name for name in listed if f"| `{name}" not in page] == []
