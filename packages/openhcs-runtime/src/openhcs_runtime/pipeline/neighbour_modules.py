"""Modules that lie beside a pipeline file: they can be imported while its pipeline is in use."""

import contextlib
import importlib
import sys
import sysconfig
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType


@contextlib.contextmanager
def importable(folder: str) -> Iterator[None]:
    """In the block modules of the folder can be imported, after all others; "" is no folder."""
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
    """The same, and what the block imported from there is forgotten after it.

    So the next pipeline of a process that stays finds its own modules of the same names, and those of this one as they
    are by then.
    """
    before = set(sys.modules)
    try:
        with importable(folder):
            yield
    finally:
        forget(folder, before)


def forget(folder: str, spare: Collection[str] = ()) -> None:
    """Let modules of the folder, but those named in `spare`, be read from their files when they are next imported."""
    if folder and folder not in _installed():
        _forget(Path(folder), spare)


def _forget(folder: Path, before: Collection[str]) -> None:
    names = [name for name in sys.modules if "." not in name and name not in before]
    tops = {name for name in names if _is_in(sys.modules[name], folder)}
    for name in list(sys.modules):
        if name.partition(".")[0] in tops:
            del sys.modules[name]


def _is_in(module: ModuleType, folder: Path) -> bool:
    """Whether a module or package lies directly in the folder: not in one below, which may be an environment."""
    file = getattr(module, "__file__", None)
    places = [Path(place) for place in getattr(module, "__path__", ())] or ([Path(file)] if file else [])
    return any(place.parent == folder for place in places)


def _installed() -> set[str]:
    """Where libraries are, which need not like to be loaded twice."""
    paths = sysconfig.get_paths()
    return {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
