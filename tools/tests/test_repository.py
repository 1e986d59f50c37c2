"""What must be alike in all five packages, and what must be in no file."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
VERSION = Version((ROOT / "VERSION").read_text(encoding="utf-8").strip())
FOLDERS = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
TEXT_SUFFIXES = {".py", ".pyi", ".md", ".toml", ".yml", ".yaml", ".sh", ".txt", ".cfg", ".json", ""}
# Folders that tools make; what starts with a dot is left out too, but for these two.
MADE = {"__pycache__", "build", "dist"}
DOTTED = {".ci", ".github"}
MACHINE_PATH = re.compile(r"/(?:home|Users)/\w+|\b[A-Z]:\\+Users\\")


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def project(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((request.param / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def files() -> Iterator[Path]:
    """The files of the project that hold text."""
    waiting = [ROOT]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.name in MADE or (path.name.startswith(".") and path.name not in DOTTED):
                continue
            if path.is_dir():
                waiting.append(path)
            elif path.suffix in TEXT_SUFFIXES:
                yield path


def test_there_are_five_packages() -> None:
    assert len(FOLDERS) == 5


def test_the_version_is_inside_each_pin_of_a_sibling(project: dict[str, Any]) -> None:
    names = {folder.name for folder in FOLDERS}
    siblings = [pin for pin in map(Requirement, project["dependencies"]) if pin.name in names]
    assert siblings or project["name"] == "zmqruntime-core"
    for pin in siblings:
        assert str(pin.specifier), f"{pin.name} is not pinned"
        assert VERSION in pin.specifier


def test_no_package_states_a_version_of_its_own(project: dict[str, Any]) -> None:
    assert project["dynamic"] == ["version"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_package_has_the_same_licence(folder: Path) -> None:
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_no_file_names_a_path_of_a_machine() -> None:
    own = [f"{path}/" for path in (ROOT, Path.home()) if path.parent != path]
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MACHINE_PATH.search(line) or any(name in line for name in own)
    ]
    assert found == []


def test_actions_are_pinned_by_the_hash_of_their_commit() -> None:
    used = [
        line.strip()
        for path in sorted(ROOT.glob(".github/workflows/*.yml"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert used
    assert [line for line in used if not re.fullmatch(r"- uses: [\w./-]+@[0-9a-f]{40} # v[\d.]+", line)] == []


@pytest.mark.parametrize("part", ["execution", "streaming"])
def test_a_package_that_is_left_without_the_core_says_so(part: str, tmp_path: Path) -> None:
    sources = ROOT / "packages" / f"zmqruntime-{part}" / "src" / "zmqruntime" / part
    (tmp_path / "zmqruntime" / part).mkdir(parents=True)
    shutil.copy(sources / "__init__.py", tmp_path / "zmqruntime" / part)
    command = [sys.executable, "-S", "-c", f"import zmqruntime.{part}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (
        f"zmqruntime-{part} needs zmqruntime-core, which is not installed: pip install zmqruntime-core" in done.stderr
    )
