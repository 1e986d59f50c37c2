"""Detection of what code of a pipeline has changed in the libraries of its process, for all that runs there after it.

A function of a library that was replaced (``scipy.ndimage.gaussian_filter = mine``), a method of one of its classes,
the handling of floating-point errors or the rounding mode changes the results of other pipelines. It can't be undone
safely, so a process in which it has happened is not used for another run.
"""

import csv
import ctypes
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType

import numpy as np

from openhcs_runtime.pipeline.local_imports import MODULE_PREFIX, is_installed

__all__ = ["Patches", "patches_here"]


class Patches:
    """The functions and classes of the libraries that are loaded, and settings of the whole process."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[ModuleType, dict[str, object]]] = {}
        self._methods: dict[type, dict[str, object]] = {}
        self._settings = _settings()
        self._threads = frozenset(threading.enumerate())
        self._note_new()

    def found(self) -> str:
        """Return what has been changed since the last call, or since it was made; empty if nothing has."""
        changed = next(self._changed(), "")
        self._note_new()
        return changed

    def _changed(self) -> Iterator[str]:
        for name, (module, known) in self._seen.items():
            now = vars(module)
            for attribute, value in known.items():
                if now.get(attribute) is not value and _is_foreign(now.get(attribute), name, attribute):
                    yield f"{name}.{attribute} was replaced"
        for kind, methods in self._methods.items():
            now_methods = kind.__dict__
            for attribute, value in methods.items():
                if now_methods.get(attribute) is not value:
                    yield f"{kind.__module__}.{kind.__qualname__}.{attribute} was replaced"
        for what, before, now_set in zip(_SETTINGS, self._settings, _settings(), strict=True):
            if before != now_set:
                yield f"{what} was changed"
        for thread in threading.enumerate():
            if thread not in self._threads and _is_users(getattr(thread, "_target", None)):
                yield f"thread {thread.name} goes on"

    def _note_new(self) -> None:
        for name, module in list(sys.modules.items()):
            if name in self._seen or not isinstance(module, ModuleType) or not _is_library(name, module):
                continue
            known = {key: value for key, value in list(vars(module).items()) if callable(value)}
            self._seen[name] = module, known
            for value in known.values():
                if type(value) is type and value.__module__ == name:
                    self._methods[value] = {
                        key: method for key, method in value.__dict__.items() if type(method) is FunctionType
                    }


@functools.cache
def patches_here() -> Patches:
    """Return what has been changed in this process since this was first called."""
    return Patches()


def _is_library(name: str, module: ModuleType) -> bool:
    """Return whether a module belongs to Python or an installed package."""
    path = getattr(module, "__file__", None)
    return not name.startswith(MODULE_PREFIX) and name != "__main__" and (path is None or is_installed(path))


def _is_foreign(value: object, module: str, attribute: str) -> bool:
    """Return whether a new value comes from elsewhere; packages replace their own functions when they load lazily."""
    package = module.partition(".")[0]
    origin = (getattr(value, "__module__", None) or "").partition(".")[0]
    return origin != package or getattr(value, "__name__", "") != attribute


def _is_users(target: object) -> bool:
    """Return whether the function that a thread runs is neither Python's nor that of an installed package."""
    module = sys.modules.get(getattr(target, "__module__", None) or "")
    return module is not None and not _is_library(module.__name__, module) and _is_outside(module)


def _is_outside(module: ModuleType) -> bool:
    return module.__name__.partition(".")[0] not in ("openhcs_runtime", "zmqruntime")


@functools.cache
def _mathematics() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libm.so.6")
        library.fegetround  # noqa: B018  raises if it has no such function
    except (OSError, AttributeError):
        return None
    return library


def _rounding_mode() -> int | None:
    library = _mathematics()
    return None if library is None else int(library.fegetround())


_SETTINGS: dict[str, Callable[[], object]] = {
    "the handling of floating-point errors (np.seterr)": lambda: tuple(sorted(np.geterr().items())),
    "the largest field of a CSV file": csv.field_size_limit,
    "the rounding mode of the processor": _rounding_mode,
}


def _settings() -> tuple[object, ...]:
    return tuple(read() for read in _SETTINGS.values())
