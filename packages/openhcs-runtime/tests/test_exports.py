"""The front door of the package."""

import importlib
import subprocess
import sys

import pytest

PACKAGE = importlib.import_module("openhcs_runtime")


def test_every_public_name_is_there_and_listed_in_order() -> None:
    assert PACKAGE.__all__ == sorted(PACKAGE.__all__)
    assert all(getattr(PACKAGE, name) is not None for name in PACKAGE.__all__)
    assert dir(PACKAGE) == PACKAGE.__all__


@pytest.mark.parametrize(
    "name",
    [
        "builtin",
        "engine.executors",
        "functions",
        "omero",
        "plates",
        "preview",
        "profiles",
        "rois",
        "viewers.fiji",
        "viewers.napari",
    ],
)
def test_a_package_shows_only_what_it_exports(name: str) -> None:
    package = importlib.import_module(f"openhcs_runtime.{name}")
    assert dir(package) == sorted(package.__all__)
    assert all(getattr(package, each) is not None for each in package.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(PACKAGE, "nonsense")


def test_importing_the_package_loads_no_image_library() -> None:
    code = "import sys, openhcs_runtime; sys.exit(bool({'numpy', 'scipy', 'skimage', 'tifffile'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_the_functions_loads_no_image_library() -> None:
    code = "import sys, openhcs_runtime.functions; sys.exit(bool({'numpy', 'scipy', 'skimage'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
