"""The front door of the package."""

import importlib
import subprocess
import sys

import pytest

import openhcs_runtime


def test_every_public_name_is_there_and_listed_in_order() -> None:
    assert openhcs_runtime.__all__ == sorted(openhcs_runtime.__all__)
    assert set(openhcs_runtime.__all__) == set(openhcs_runtime._HOMES)
    assert all(getattr(openhcs_runtime, name) is not None for name in openhcs_runtime.__all__)
    assert dir(openhcs_runtime) == openhcs_runtime.__all__


@pytest.mark.parametrize(
    "name",
    ["builtin", "executors", "functions", "omero", "plates", "rois", "viewers.fiji", "viewers.napari", "viewing"],
)
def test_a_package_shows_only_what_it_exports(name: str) -> None:
    package = importlib.import_module(f"openhcs_runtime.{name}")
    assert dir(package) == sorted(package.__all__)
    assert all(getattr(package, each) is not None for each in package.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(openhcs_runtime, "nonsense")


def test_importing_the_package_loads_no_image_library() -> None:
    code = "import sys, openhcs_runtime; sys.exit(bool({'numpy', 'scipy', 'skimage', 'tifffile'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
