"""The package of docs/howto-own-package.md: its format, its steps and its viewer work once its wheel is installed."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto-own-package.md"

pytestmark = pytest.mark.skipif(find_spec("openhcs_gui_services") is None, reason="not all packages are installed")

WRITE = """
import numpy as np, pathlib, tifffile
folder = pathlib.Path("plate7")
folder.mkdir()
for row in "AB":
    for field in (1, 2):
        tifffile.imwrite(folder / f"{row}-03_field{field}_1.tif", np.full((32, 40), 100 * field, np.uint16))
tifffile.imwrite(folder / "overview.tif", np.zeros((4, 4), np.uint16))
(folder / "scope.json").write_text('{"pixel_size_um": 0.3}')
pathlib.Path("sharpen.py").write_text('''
from my_lab.steps import sharpen
from openhcs_runtime import FunctionStep
pipeline_steps = [FunctionStep((sharpen, {"amount": 0.0}), materialize=True)]
''')
"""
MENU = """
from openhcs_gui_services.services.pipeline.step_form import read_libraries
for info in read_libraries():
    if info.module.startswith("my_lab"):
        print(info.group, info.name, info.summary, [field.label for field in info.parameters])
"""
VIEW = """
from openhcs_runtime import ViewTarget
from openhcs_runtime.viewers.start import open_viewer
print(ViewTarget.parse("counter"), ViewTarget.parse("counter:5600"))
manager = open_viewer("counter")
print(manager.is_running)
manager.stop()
"""


def make_wheel(folder: Path) -> Path:
    """Write the files of the page as a wheel, as packaging.python.org specifies it."""
    blocks = dict(
        re.findall(r"^```\w+\n# (\S+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    )
    project = tomllib.loads(blocks.pop("pyproject.toml"))["project"]
    info = f"my_lab-{project['version']}.dist-info"
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    files = {**blocks, "my_lab/__init__.py": "", f"{info}/entry_points.txt": points}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    path = folder / f"my_lab-{project['version']}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        record = ""
        for name, text in files.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text.encode())}\n"
        wheel.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path


@pytest.fixture
def folder() -> Iterator[Path]:
    """A new folder that is the home as well, with the unpacked wheel in ``site``: a pure wheel needs no more."""
    path = Path(tempfile.mkdtemp(prefix="lab", dir="/tmp" if os.name == "posix" else None))  # sockets: short paths
    with zipfile.ZipFile(make_wheel(path)) as wheel:
        wheel.extractall(path / "site")
    run(path, "-c", WRITE)
    yield path
    run(path, "-m", "openhcs_runtime.cli", "stop")
    shutil.rmtree(path)


def run(folder: Path, *arguments: str) -> str:
    """Run Python in a folder that is its home as well; gives what it printed."""
    home = {"HOME": str(folder), "USERPROFILE": str(folder), "LOCALAPPDATA": str(folder)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")} | home
    environment["PYTHONPATH"] = str(folder / "site")
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_plates_are_opened_and_run(folder: Path) -> None:
    shown = run(folder, "-m", "openhcs_runtime.cli", "info", "plate7")
    assert "My microscope" in shown
    assert "0.3 um" in shown
    assert "overview.tif" in shown
    assert "2: A03, B03" in shown
    run(folder, "-m", "openhcs_runtime.cli", "run", "plate7", "--pipeline", "sharpen.py", "--output", "out")
    assert len(list((folder / "out" / "images").rglob("*.tif"))) == 4
    assert '"my_scope"' in (folder / "out" / "provenance.json").read_text(encoding="utf-8")


def test_its_steps_are_in_the_menu_of_the_window(folder: Path) -> None:
    said = run(folder, "-c", MENU).strip()
    assert said == "My lab sharpen Sharpen each plane by unsharp masking. ['Amount', 'Radius (px)']"


def test_its_viewer_is_started_by_name(folder: Path) -> None:
    assert run(folder, "-c", VIEW).splitlines() == ["counter counter:5600", "True"]


def test_a_format_that_cannot_be_loaded_is_named(folder: Path) -> None:
    (folder / "site" / "my_lab" / "plates.py").write_text("import no_such_module\n", encoding="utf-8")
    command = [sys.executable, "-m", "openhcs_runtime.cli", "info", "plate7"]
    environment = os.environ | {"PYTHONPATH": str(folder / "site"), "HOME": str(folder)}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "the plate format 'my_scope' of my-lab 1.0 can't be loaded" in done.stderr
    assert "Traceback" not in done.stderr
