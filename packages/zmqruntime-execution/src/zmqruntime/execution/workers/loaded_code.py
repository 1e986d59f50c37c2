"""Detection of source files that were edited after this process had loaded them."""

import importlib.machinery
import os
import sys
import sysconfig
import time
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import msgspec
import psutil
import zmq

import zmqruntime
from zmqruntime import execution

__all__ = ["LoadedModules"]

_Stamp = tuple[int, int]
_OWN = tuple(
    os.path.join(os.path.dirname(os.path.abspath(str(each.__file__))), "")
    for each in (zmqruntime, execution, msgspec, psutil, zmq)
)


class _Moment(NamedTuple):
    """A point in time on the clock used for file timestamps and on the monotonic clock; ns."""

    clock: int
    elapsed: int

    @classmethod
    def now(cls) -> "_Moment":
        return cls(time.time_ns(), time.monotonic_ns())

    def until(self, later: "_Moment") -> tuple[int, int]:
        """Return the earliest and latest time the clock can have shown in between, even if it was set in that time."""
        passed = later.elapsed - self.elapsed
        return min(self.clock, later.clock - passed), max(later.clock, self.clock + passed)


class LoadedModules:
    """Notes the time and size of each module's file before it is read.

    :meth:`watch` inserts it in front of all finders. Modules of the standard library are ignored, and so are those of
    this library and of what it is built on, which a new worker must not load in another version than its server, and
    modules without a spec, whose code was not read from the file that they name.
    """

    def __init__(self) -> None:
        self._stamps: dict[str, _Stamp | None] = {}
        self._seen: set[str] = set()
        self._latest = (0, "")
        self._standard = os.path.join(sysconfig.get_path("stdlib"), "")
        self._site = tuple(os.path.join(sysconfig.get_path(kind), "") for kind in ("purelib", "platlib"))
        self._checked_at = _Moment.now()

    @classmethod
    def here(cls) -> "LoadedModules":
        """Return the one that watches this process, or the one it was forked from; else a new one, which begins."""
        for finder in sys.meta_path:
            if isinstance(finder, cls):
                return finder
        modules = cls()
        modules.watch()
        return modules

    def watch(self) -> None:
        """Note modules that are already loaded, and those loaded from now on."""
        self.look()
        sys.meta_path.insert(0, self)

    def note_fork(self) -> None:
        """Start in a process that was forked after :meth:`watch`: what it loads is loaded from now on."""
        self._checked_at = _Moment.now()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec found by the other finders, after noting the state of its file before it is read."""
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: importlib.machinery.ModuleSpec | None = None if find is None else find(name, path, target)
            if spec is not None:
                if spec.has_location and spec.origin is not None:
                    self._note(spec.origin)
                return spec
        return None

    def invalidate_caches(self) -> None:
        """Do nothing: there are no caches."""

    def look(self) -> str | None:
        """Return a file that was edited or removed after it was loaded; None if there is none.

        A file that was loaded without :meth:`find_spec` counts as edited if it may have changed since the last look,
        because the loaded version is unknown. A timestamp in the future is from before the clock was set back.
        """
        before, self._checked_at = self._checked_at, _Moment.now()
        earliest, latest = before.until(self._checked_at)
        for module in self._new_modules():
            path = getattr(module, "__file__", None) if getattr(module, "__spec__", None) is not None else None
            if isinstance(path, str) and path not in self._stamps and self._is_watched(path):
                stamp = self._stamps[path] = _stamp(path)
                if stamp is not None and earliest <= stamp[0] <= latest:
                    return path
        for path, stamp in list(self._stamps.items()):
            if stamp is not None and _stamp(path) != stamp:
                return path
        return None

    def _new_modules(self) -> list[ModuleType | None]:
        """Return the modules that were added since the last call: what is added is the last one in ``sys.modules``."""
        latest = len(sys.modules), next(reversed(sys.modules), "")
        if latest == self._latest:
            return []
        self._latest = latest
        new = sys.modules.keys() - self._seen
        self._seen |= new
        return [sys.modules.get(name) for name in new]

    def _note(self, path: str) -> None:
        if self._is_watched(path):
            self._stamps[path] = _stamp(path)

    def _is_watched(self, path: str) -> bool:
        if path.startswith(_OWN):
            return False
        return not path.startswith(self._standard) or path.startswith(self._site)


def _stamp(path: str) -> _Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
