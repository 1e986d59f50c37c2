"""Which files this process has loaded code from, and whether any was edited since."""

import importlib.machinery
import os
import sys
import sysconfig
import time
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

__all__ = ["LoadedModules"]

_Stamp = tuple[int, int]


class _Moment(NamedTuple):
    """By the clock that stamps files, and by one that nobody can set; ns."""

    clock: int
    elapsed: int

    @classmethod
    def now(cls) -> "_Moment":
        return cls(time.time_ns(), time.monotonic_ns())

    def until(self, later: "_Moment") -> tuple[int, int]:
        """The earliest and the latest that the clock can have shown between the two, also if it was set meanwhile."""
        passed = later.elapsed - self.elapsed
        return min(self.clock, later.clock - passed), max(later.clock, self.clock + passed)


class LoadedModules:
    """Notes the time and size of each module's file before it is read; put in front of all finders by :meth:`watch`.

    Modules of the standard library are not looked at.
    """

    def __init__(self) -> None:
        self._stamps: dict[str, _Stamp | None] = {}
        self._standard = os.path.join(sysconfig.get_path("stdlib"), "")
        self._site = tuple(os.path.join(sysconfig.get_path(kind), "") for kind in ("purelib", "platlib"))
        self._checked_at = _Moment.now()

    def watch(self) -> None:
        """Note what is loaded from now on, and what is loaded already."""
        self.look()
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """What the other finders find; its file is looked at before anybody reads it."""
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: importlib.machinery.ModuleSpec | None = None if find is None else find(name, path, target)
            if spec is not None:
                if spec.has_location and spec.origin is not None:
                    self._note(spec.origin)
                return spec
        return None

    def invalidate_caches(self) -> None:
        """There are none."""

    def look(self) -> str | None:
        """A file that was edited, or removed, since it was loaded; None if there is none.

        A file that was loaded in a way that :meth:`find_spec` does not hear of counts as edited if it may have changed
        since the last look: nobody knows which state of it was loaded. One whose time is yet to come is from before the
        clock was set back.
        """
        before, self._checked_at = self._checked_at, _Moment.now()
        earliest, latest = before.until(self._checked_at)
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and path not in self._stamps and self._is_watched(path):
                stamp = self._stamps[path] = _stamp(path)
                if stamp is not None and earliest <= stamp[0] <= latest:
                    return path
        for path, stamp in list(self._stamps.items()):
            if stamp is not None and _stamp(path) != stamp:
                return path
        return None

    def _note(self, path: str) -> None:
        if self._is_watched(path):
            self._stamps[path] = _stamp(path)

    def _is_watched(self, path: str) -> bool:
        return not path.startswith(self._standard) or path.startswith(self._site)


def _stamp(path: str) -> _Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
