"""Every code block of the documentation runs as it stands; those that can't run here make sense all the same."""

import ast
import contextlib
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from docs_blocks import Block, Kind, blocks, prints_all, script
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob(".github/*.md")),
    ROOT / "README.md",
    *sorted(ROOT.glob("packages/*/README.md")),
]
OWN = ("zmqruntime", "openhcs_runtime", "openhcs_gui_services")
SECONDS = 400  # on an idle machine a page takes up to fifteen
NO_NAPARI = "-p no:napari -p no:napari-plugin-engine -p no:npe2"  # plug-ins that load for seconds whatever is tested

# Pages whose code other tests run, or that can't run in tests as they are written.
ELSEWHERE = {
    "docs/command-openhcs-runtime.md": "examples of each command: the tests of the command line",
    "docs/benchmarks.md": "nox -s bench",
    "docs/howto-camera.md": "test_howto_camera.py",
    "docs/compare.md": "test_peers.py, nox -s peers",
    "docs/howto-embed-plate-manager.md": "opens a window: the tests of the widgets",
    "docs/howto-gui.md": "opens a window: the tests of the window",
    "docs/howto-fiji.md": "needs a screen and ImageJ: the tests of the viewer",
    "docs/howto-napari.md": "needs a screen and napari: the tests of the viewer",
    "docs/howto-omero.md": "needs Docker",
    "docs/howto-own-package.md": "test_howto_package.py",
    "docs/howto-own-viewer.md": "test_howto_viewer.py",
    "docs/howto-remote-server.md": "needs two machines: the tests of servers with a host",
    "docs/howto-task-server.md": "test_howtos.py",
    "docs/howto-slurm.md": "needs a cluster: test_howto_slurm.py and the tests of Dask",
    "README.md": "nox -s demo",
    "packages/openhcs-gui-services/README.md": "test_readmes.py",
    "packages/zmqruntime-core/README.md": "test_readme.py of the package",
    "packages/zmqruntime-execution/README.md": "test_readmes.py",
    "packages/zmqruntime-streaming/README.md": "test_readmes.py",
}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


FOUND = {name_of(page): blocks(page) for page in PAGES}
RUN = [
    name
    for name, found in FOUND.items()
    if name not in ELSEWHERE and any(each.reason is None and each.kind is not Kind.PRINTED for each in found)
]
pytestmark = pytest.mark.skipif(find_spec("openhcs_gui_services") is None, reason="not all packages are installed")


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty folder that is the home of what runs in it; all that is left running there is ended."""
    folder = Path(tempfile.mkdtemp(prefix="doc", dir="/tmp" if os.name == "posix" else None))  # sockets: short paths
    yield folder
    left = [process for process in psutil.process_iter() if lives_in(process, folder)]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(left, 20)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    shutil.rmtree(folder, ignore_errors=True)
    assert not alive


def lives_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.environ().get("HOME") == str(folder)
    except (psutil.Error, OSError):
        return False


@pytest.mark.timeout(SECONDS + 50)
@pytest.mark.skipif(os.name == "nt", reason="the blocks are for a shell")
@pytest.mark.parametrize("page", RUN)
def test_the_blocks_of_a_page_run_in_their_order(page: str, home: Path) -> None:
    work = home / "work"
    work.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment |= {"HOME": str(home), "PATH": path, "COLUMNS": "120", "QT_QPA_PLATFORM": "offscreen"}
    environment["PYTEST_ADDOPTS"] = NO_NAPARI
    done = subprocess.run(
        ["bash", "-c", script(FOUND[page], work)],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert prints_all(FOUND[page], done.stdout) is None, done.stdout


def code(kind: Kind) -> list[tuple[str, Block]]:
    return [(name, each) for name, found in FOUND.items() for each in found if each.kind is kind]


def test_every_python_block_is_python_and_its_imports_exist() -> None:
    for name, each in code(Kind.PYTHON):
        flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        for node in ast.walk(compile(each.text, f"{name}:{each.line}", "exec", flags)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in OWN:
                module = importlib.import_module(node.module or "")
                missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                assert not missing, f"{name}:{each.line}"


def test_every_command_can_be_typed() -> None:
    typed = 0
    for name, each in code(Kind.SHELL):
        for words in each.commands:
            try:
                typed += parse(words)
            except (SystemExit, Exception) as error:  # noqa: BLE001 - whatever a parser does, the line is named
                pytest.fail(f"{name}:{each.line}: {shlex.join(words)}: {error}")
    assert typed > 50


def parse(words: list[str]) -> int:
    """Parse a command of ours; 1 if it is one."""
    stop = next((number for number, word in enumerate(words) if word in (">", "|", "&&", "||")), len(words))
    program, arguments = words[0], words[1:stop]
    if arguments == ["--version"]:  # would print it
        return 1
    if program == "zmqruntime":
        from zmqruntime.execution.cli.surface import make_parser

        make_parser().parse_args(arguments)
    elif program == "openhcs-runtime":
        import typer.main

        from openhcs_runtime.cli.app import app

        command, parent = typer.main.get_command(app), None
        while hasattr(command, "resolve_command"):
            parent = command.make_context(program, list(arguments), parent=parent)
            rest = [*getattr(parent, "_protected_args", []), *parent.args]
            program, command, arguments = command.resolve_command(parent, rest)
        command.make_context(program, list(arguments), parent=parent)
    else:
        return 0
    return 1


def test_what_pip_is_told_to_install_exists() -> None:
    projects = [
        tomllib.loads(path.read_text(encoding="utf-8"))["project"] for path in ROOT.glob("packages/*/pyproject.toml")
    ]
    extras = {project["name"]: set(project.get("optional-dependencies", {})) for project in projects}
    lines = [words for _, each in code(Kind.SHELL) for words in each.commands if words[:2] == ["pip", "install"]]
    wanted = [Requirement(word) for words in lines for word in words[2:] if not word.startswith("-")]
    ours = [each for each in wanted if re.match(r"zmqruntime|openhcs", each.name)]
    assert len(ours) > 5
    assert [str(each) for each in ours if not each.extras <= extras.get(each.name, set())] == []
