"""The services work where there is no Qt, and what a program needs of them is at their front door."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import openhcs_gui_services.exceptions
from openhcs_gui_services import services, widgets
from openhcs_gui_services.exceptions import GuiServicesError

MODULES = [f"{services.__name__}.{module.name}" for module in pkgutil.iter_modules(services.__path__)]
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


def test_the_front_door_is_complete() -> None:
    assert services.__all__ == sorted(services.__all__)
    assert set(services._HOMES) <= set(services.__all__)
    for name, home in services._HOMES.items():
        module = importlib.import_module(f"{services.__name__}.{home}")
        assert name in module.__all__, f"{home} does not offer {name}"
        assert getattr(services, name) is getattr(module, name)
    assert dir(services) == services.__all__
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        services.Nothing  # noqa: B018


def test_the_widgets_show_only_what_they_export() -> None:
    assert dir(widgets) == widgets.__all__


def test_all_errors_have_one_base() -> None:
    module = openhcs_gui_services.exceptions
    found = [value for value in vars(module).values() if isinstance(value, type)]
    assert sorted(error.__name__ for error in found) == module.__all__
    assert all(issubclass(error, GuiServicesError) for error in found)
