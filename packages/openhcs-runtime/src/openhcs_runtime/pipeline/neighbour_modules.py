"""Modules next to a pipeline file, which can be imported while its pipeline is in use."""

import contextlib
import importlib
import sys
import sysconfig
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType


@contextlib.contextmanager
def importable(folder: str) -> Iterator[None]:
    """Within the block, make modules in the folder importable, after all others; does nothing for ""."""
    if not folder or folder in sys.path:
        yield
        return
    sys.path.append(folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


@contextlib.contextmanager
def borrowed(folder: str) -> Iterator[None]:
    """Do the same as ``importable``, and forget the modules imported from the folder after the block.

    The next pipeline in a long-lived process then finds its own modules of the same names, and the current versions of
    these.
    """
    before = set(sys.modules)
    try:
        with importable(folder):
            yield
    finally:
        forget(folder, before)


def forget(folder: str, spare: Collection[str] = ()) -> None:
    """Forget modules in the folder, except those in ``spare``, so that the next import reads their files again."""
    if folder and folder not in _installed():
        _forget(Path(folder), spare)


def _forget(folder: Path, before: Collection[str]) -> None:
    names = [name for name in sys.modules if "." not in name and name not in before]
    tops = {name for name in names if _is_in(sys.modules[name], folder)}
    for name in list(sys.modules):
        if name.partition(".")[0] in tops:
            del sys.modules[name]


def _is_in(module: ModuleType, folder: Path) -> bool:
    """Return whether a module or package is directly in the folder; a subfolder may be a virtual environment."""
    file = getattr(module, "__file__", None)
    places = [Path(place) for place in getattr(module, "__path__", ())] or ([Path(file)] if file else [])
    return any(place.parent == folder for place in places)


def _installed() -> set[str]:
    """Return the folders of installed libraries, which may not support being loaded twice."""
    paths = sysconfig.get_paths()
    return {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
