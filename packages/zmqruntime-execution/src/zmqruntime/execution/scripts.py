"""Scripts as modules that any process can import: the path of the file is part of the module's name.

A worker loads the script of a function under such a name, and what it starts itself (``multiprocessing`` with *spawn*
or *forkserver*, joblib's loky, a pickle that is read elsewhere) finds the script by that name alone, without an
environment variable or a folder that would have to be inherited. The modules are submodules of this one, which is
imported before them and adds what finds them to the import system.
"""

import contextlib
import contextvars
import importlib.machinery
import importlib.util
import sys
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

__all__ = ["end_load", "has_ended_early", "is_script", "load_script"]

__path__: list[str] = []
"""Makes this module a package; the submodules are found by their names alone."""

_PREFIX = f"{__name__}."
_SUFFIX = ".py"
_ERRORS = "surrogateescape"  # a path need not be text
_ENDED_EARLY = "__zmqruntime_ended_early__"
_loading: contextvars.ContextVar[str] = contextvars.ContextVar("zmqruntime_loading_script", default="")


def load_script(path: str) -> ModuleType:
    """Load a script, up to the line where it begins to use an executor.

    Raises:
        ImportError: There is no such file.
    """
    stem = urllib.parse.quote(path.removesuffix(_SUFFIX), safe="/\\: ", errors=_ERRORS)
    name = _PREFIX + stem.replace(".", "%2E")
    if name not in sys.modules and not Path(path).is_file():
        raise ImportError(f"the script {path} cannot be loaded; was it moved or removed after the submission?")
    return importlib.import_module(name)


def is_script(module: ModuleType) -> bool:
    """Return whether it is a script that was loaded by its path."""
    return module.__name__.startswith(_PREFIX)


def has_ended_early(module: object) -> bool:
    """Return whether a script was loaded only up to the line where it begins to use an executor."""
    return bool(getattr(module, _ENDED_EARLY, False))


def end_load() -> None:
    """End the load of the script in which this process looks for a function, if it is loading one.

    Called where a program begins to use an executor: what comes then, the program does itself, and a worker must not do
    it again. What the script has defined so far is what the program could submit.
    """
    if _loading.get():
        raise _LoadEnds


class _LoadEnds(BaseException):
    """Ends the load of a script early."""


class _ScriptLoader(importlib.machinery.SourceFileLoader):
    """Runs a script up to its executor; in the program that it is, gives what runs there."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the script, unless it is the main module of this process."""
        main = sys.modules["__main__"]
        file = getattr(main, "__file__", None)
        if isinstance(file, str) and Path(file).resolve() == Path(self.path):
            sys.modules[module.__name__] = main  # what was pickled elsewhere is what this program has
            return
        try:
            with _noted(self.path):
                super().exec_module(module)
        except _LoadEnds:
            setattr(module, _ENDED_EARLY, True)


class _ScriptFinder:
    """Finds the submodules of this module."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return how the script with this name is loaded; None if it is another module, or there is no file."""
        if not name.startswith(_PREFIX):
            return None
        file = urllib.parse.unquote(name.removeprefix(_PREFIX), errors=_ERRORS) + _SUFFIX
        if not Path(file).is_file():
            return None
        return importlib.util.spec_from_file_location(name, file, loader=_ScriptLoader(name, file))

    @staticmethod
    def invalidate_caches() -> None:
        """Do nothing: there are no caches."""


@contextlib.contextmanager
def _noted(path: str) -> Iterator[None]:
    token = _loading.set(path)
    try:
        yield
    finally:
        _loading.reset(token)


sys.meta_path.append(_ScriptFinder)
