"""In a run against wheels, what is tested is what the wheels installed, never the sources of this checkout."""

import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMPORT_NAMES = {
    "zmqruntime-core": "zmqruntime",
    "zmqruntime-execution": "zmqruntime.execution",
    "zmqruntime-streaming": "zmqruntime.streaming",
    "openhcs-runtime": "openhcs_runtime",
    "openhcs-gui-services": "openhcs_gui_services",
}
INSTALLED = sorted({found.name for found in distributions()} & IMPORT_NAMES.keys())

pytestmark = pytest.mark.skipif("TESTS_FROM_WHEELS" not in os.environ, reason="a run against the sources")


def test_something_of_ours_is_installed() -> None:
    assert INSTALLED


def test_no_sources_are_on_the_import_path() -> None:
    assert [path for path in sys.path if Path(path, "zmqruntime").is_dir() and "site-packages" not in path] == []


@pytest.mark.parametrize("package", INSTALLED)
def test_it_is_imported_from_the_environment(package: str) -> None:
    code = f"import {IMPORT_NAMES[package]} as module; print(module.__file__)"
    where = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert Path(where.strip()).resolve().is_relative_to(Path(sys.prefix).resolve())
    assert "packages" not in Path(where.strip()).resolve().relative_to(Path(sys.prefix).resolve()).parts
