"""The modules that a pipeline imports, found in its text and theirs; nothing is imported or run.

A module is *local* when it is neither of Python's own library nor installed into ``site-packages``: a file next to the
pipeline, a folder on ``PYTHONPATH``, a checkout that is installed as editable. Local modules are followed into what
they import in turn. Of installed packages only the name is kept.
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

OWN_PACKAGES = frozenset({"openhcs_runtime", "zmqruntime", "openhcs_gui_services"})
"""The packages of this project: they count by their version, wherever they lie."""

MODULE_PREFIX = "openhcs_pipeline_"
"""How the names of modules begin that are made of pipeline files."""

_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class LocalModule:
    """A module file of the user's own: its name, where it is, and its bytes."""

    name: str
    path: str
    content: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of its bytes, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Imports:
    """What a pipeline imports, directly or through its local modules.

    local: by module name. libraries: top-level names of installed packages. missing: top-level names that cannot be
    found, as of optional imports.
    """

    local: tuple[LocalModule, ...] = ()
    libraries: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


def find_imports(texts: Iterable[str], modules: Iterable[str]) -> Imports:
    """Follow the imports of a pipeline.

    Args:
        texts: the sources of its pipeline files.
        modules: names of the modules that the functions of its steps come from.

    Returns:
        The local modules and the installed libraries that it reaches. A local file that cannot be parsed counts with
        its bytes and is not followed.
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
        """Look at a module and the packages around it."""
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
    """Where a module would be loaded from; its packages are not imported for it."""
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
    """The modules that a source text may import, anywhere in it; relative ones within `package`."""
    try:
        tree = ast.parse(content)
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
    """Whether a file is of Python's own library, or of an installed package."""
    parts = Path(place).parts
    return not set(_INSTALLED).isdisjoint(parts) or any(
        Path(place).is_relative_to(folder) for folder in _library_folders()
    )


@functools.cache
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({paths[name] for name in ("purelib", "platlib", "stdlib", "platstdlib")})
