"""What a package imports, it declares: what another dependency happens to bring along may be gone tomorrow."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
NOT_INSTALLED = {"instanseg": ["instanseg-torch"]}
"""The distributions of import names that tests are run without."""
# One import name out of three distributions; the boundaries session looks after those.
OWN = {"zmqruntime", "openhcs_runtime", "openhcs_gui_services"}


def imported(folder: Path) -> Iterator[str]:
    """The top-level names that the package's sources import, wherever they do it.

    What only a type checker reads is not imported: it needs to be there for nobody who runs the package.
    """
    for path in folder.glob("src/**/*.py"):
        if path.name.startswith("hook-"):  # run by PyInstaller, within itself
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        unread = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            for statement in node.body
            for inner in ast.walk(statement)
        }
        for node in ast.walk(tree):
            if id(node) in unread:
                continue
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


def declared(project: dict[str, Any]) -> set[str]:
    """The names of the distributions that the package asks for, also in its extras."""
    extras = project.get("optional-dependencies", {}).values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    return {normal(Requirement(line).name) for line in lines}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_import_is_declared(folder: Path) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    providers = {**NOT_INSTALLED, **packages_distributions()}
    foreign = set(imported(folder)) - OWN - sys.stdlib_module_names
    undeclared = {
        name for name in foreign if not {normal(found) for found in providers.get(name, [name])} & declared(project)
    }
    assert undeclared == set()
