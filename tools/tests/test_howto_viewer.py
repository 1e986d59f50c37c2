"""The viewer of docs/howto-own-viewer.md works as it stands, in sixty lines."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto-own-viewer.md"

pytestmark = pytest.mark.skipif(
    find_spec("zmqruntime") is None or find_spec("matplotlib") is None, reason="a package or matplotlib is missing"
)


@pytest.fixture
def scripts() -> Iterator[Path]:
    """A new folder with the scripts of the page."""
    folder = Path(tempfile.mkdtemp(prefix="wall", dir="/tmp" if os.name == "posix" else None))  # sockets: short paths
    text = PAGE.read_text(encoding="utf-8")
    for name, script in re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        (folder / name).write_text(script, encoding="utf-8")
    yield folder
    shutil.rmtree(folder)


def test_the_wall_shows_what_the_pipeline_sends(scripts: Path) -> None:
    home = {"HOME": str(scripts), "USERPROFILE": str(scripts), "LOCALAPPDATA": str(scripts)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")} | home
    command = [sys.executable, "-W", "error", "pipeline.py"]
    done = subprocess.run(
        command, env=environment, cwd=scripts, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "33 32 1 (200, 400, 4)\n"


def test_viewer_and_pipeline_have_sixty_lines(scripts: Path) -> None:
    lines = [
        line
        for path in (scripts / "wall.py", scripts / "pipeline.py")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert sum(bool(line.strip()) for line in lines) <= 65
