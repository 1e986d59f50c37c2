"""The services work where there is no Qt, and what a program needs of them is at their front door."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import openhcs_gui_services.exceptions
from openhcs_gui_services.exceptions import GuiServicesError

PACKAGE = "openhcs_gui_services"
SERVICES = importlib.import_module(f"{PACKAGE}.services")
MODULES = [module.name for module in pkgutil.walk_packages(SERVICES.__path__, f"{SERVICES.__name__}.")]
LOADED = "print([name for name in sys.modules if name.partition('.')[0] in {packages!r}])"
QT = ("PyQt5", "PyQt6", "PySide2", "PySide6", "magicgui", "qasync", "qtpy", "superqt")
IMAGES = ("numpy", "skimage", "tifffile")


def loaded_after(code: str, packages: tuple[str, ...]) -> str:
    """Which modules of these packages a new process has loaded after this code."""
    script = f"import importlib, sys\n{code}\n{LOADED.format(packages=packages)}"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_no_service_brings_in_qt() -> None:
    assert len(MODULES) > 30
    assert loaded_after(f"[importlib.import_module(name) for name in {MODULES!r}]", QT) == "[]"


def test_the_front_door_brings_in_neither_qt_nor_image_libraries() -> None:
    code = "import openhcs_gui_services.services as door\n[getattr(door, name) for name in door.__all__]"
    assert loaded_after(code, QT + IMAGES) == "[]"


@pytest.mark.parametrize("door", [PACKAGE, f"{PACKAGE}.services", f"{PACKAGE}.widgets"])
def test_the_front_door_is_complete(door: str) -> None:
    package = importlib.import_module(door)
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        value = getattr(package, name)
        home = importlib.import_module(value.__module__) if hasattr(value, "__module__") else None
        assert home is None or not home.__name__.startswith(PACKAGE) or name in home.__all__
    assert dir(package) == package.__all__
    assert not hasattr(package, "Nothing")


def test_the_root_has_every_name_of_services_and_widgets() -> None:
    root, widgets = importlib.import_module(PACKAGE), importlib.import_module(f"{PACKAGE}.widgets")
    assert {*SERVICES.__all__, *widgets.__all__} <= set(root.__all__)


def test_all_errors_have_one_base() -> None:
    module = openhcs_gui_services.exceptions
    found = [value for value in vars(module).values() if isinstance(value, type)]
    assert sorted(error.__name__ for error in found) == module.__all__
    assert all(issubclass(error, GuiServicesError) for error in found)
