"""The modules that a pipeline imports, found by reading its source and theirs without importing anything.

A module is *local* if it is neither in the standard library nor installed in ``site-packages``: a file next to the
pipeline, a folder on ``PYTHONPATH``, or an editable install. The imports of local modules are followed; of installed
packages only the name is recorded.
"""

import ast
import functools
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from pathlib import Path

from openhcs_runtime.pipeline.parsing import parse_python

OWN_PACKAGES = frozenset({"openhcs_runtime", "zmqruntime", "openhcs_gui_services"})
"""The packages of this project, identified by their version regardless of their location."""

MODULE_PREFIX = "openhcs_pipeline_"
"""Prefix of the names of modules made from pipeline files."""

_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class LocalModule:
    """A local module file: its name, location and contents."""

    name: str
    path: str
    content: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256 of its contents, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Imports:
    """The imports of a pipeline, direct or through its local modules.

    Attributes:
        local: Local modules by name.
        libraries: Top-level names of installed packages.
        missing: Top-level names that can't be found, such as optional imports.
    """

    local: tuple[LocalModule, ...] = ()
    libraries: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


def find_imports(texts: Iterable[str], modules: Iterable[str]) -> Imports:
    """Follow the imports of a pipeline.

    Args:
        texts: The sources of its pipeline files.
        modules: Names of the modules that define the functions of its steps.

    Returns:
        The local modules and the installed libraries that it imports. A local file that can't be parsed is included,
        but its imports are not followed.
    """
    search = _Search()
    for name in modules:
        search.add(name)
    for text in texts:
        for name in _imported_names(text.encode("utf-8", "surrogatepass"), ""):
            search.add(name)
    search.follow()
    return Imports(
        tuple(search.local[name] for name in sorted(search.local)),
        frozenset(search.libraries),
        frozenset(search.missing),
    )


class _Search:
    def __init__(self) -> None:
        self.local: dict[str, LocalModule] = {}
        self.libraries: set[str] = set()
        self.missing: set[str] = set()
        self._seen: set[str] = set()
        self._waiting: list[str] = []

    def add(self, name: str) -> None:
        """Add a module and its parent packages."""
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            whole = ".".join(parts[:count])
            if whole not in self._seen:
                self._seen.add(whole)
                self._waiting.append(whole)

    def follow(self) -> None:
        while self._waiting:
            self._look_at(self._waiting.pop())

    def _look_at(self, name: str) -> None:
        top = name.partition(".")[0]
        if top == "__main__":
            main = getattr(sys.modules["__main__"], "__file__", None)
            if main is not None:
                self._take(name, Path(main), is_package=False)
            return
        if top in sys.stdlib_module_names or top in sys.builtin_module_names:
            return
        if top in OWN_PACKAGES or top in self.libraries:
            self.libraries.add(top)
            return
        spec = _spec_of(name)
        if spec is None:
            if name == top:
                self.missing.add(top)
            return
        place = spec.origin or next(iter(spec.submodule_search_locations or ()), "")
        if is_installed(place):
            self.libraries.add(top)
        elif spec.has_location and spec.origin is not None:
            self._take(name, Path(spec.origin), is_package=spec.submodule_search_locations is not None)

    def _take(self, name: str, path: Path, *, is_package: bool) -> None:
        try:
            content = path.read_bytes()
        except OSError:
            self.missing.add(name)
            return
        self.local[name] = LocalModule(name, str(path), content)
        if not path.name.endswith(tuple(EXTENSION_SUFFIXES)):
            package = name if is_package else name.rpartition(".")[0]
            for imported in _imported_names(content, package):
                self.add(imported)


def _spec_of(name: str) -> ModuleSpec | None:
    """Return where a module would be loaded from, without importing its parent packages."""
    top, _, rest = name.partition(".")
    try:
        loaded = sys.modules.get(top)
        spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None or not rest:
        return spec
    inner = ""
    for part in rest.split("."):
        inner = f"{inner}.{part}" if inner else f"{top}.{part}"
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(inner, list(spec.submodule_search_locations))
    return spec


@functools.lru_cache(maxsize=512)
def _imported_names(content: bytes, package: str) -> tuple[str, ...]:
    """Return the modules that a source may import, anywhere in it; relative imports are resolved in ``package``."""
    try:
        tree = parse_python(content)
    except (SyntaxError, ValueError):
        return ()
    return tuple(dict.fromkeys(name for node in ast.walk(tree) for name in _names_in(node, package)))


def _names_in(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = package.split(".") if package else []
        base = parts[: len(parts) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        if module:
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names if alias.name != "*")


@functools.lru_cache(maxsize=16_384)
def is_installed(place: str) -> bool:
    """Return whether a file is part of the standard library or of an installed package."""
    parts = Path(place).parts
    return not set(_INSTALLED).isdisjoint(parts) or any(
        Path(place).is_relative_to(folder) for folder in _library_folders()
    )


@functools.cache
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({paths[name] for name in ("purelib", "platlib", "stdlib", "platstdlib")})
