"""The basis of a run: what the results of a well depend on in addition to its images, as names and digests.

Two runs with equal bases compute the same results from the same images. If they differ, the names tell why: an edited
pipeline, a module next to it, a setting, the version of a library, an environment variable that the code reads, or a
file that it names.
"""

import ast
import email
import functools
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import openhcs_runtime
from openhcs_runtime.pipeline.local_imports import OWN_PACKAGES, Imports, LocalModule, find_imports
from openhcs_runtime.pipeline.parsing import parse_python
from openhcs_runtime.pipeline.source import PipelineFile

__all__ = ["VARIABLE_PREFIX", "PipelineBasis", "digest", "pipeline_basis"]

_NUMERIC = ("numpy", "scipy", "scikit-image", "tifffile", "imagecodecs", "zarr")
"""The libraries that the engine uses to read images, and its own functions to process them."""

VARIABLE_PREFIX = "environment variable "
"""Prefix of the entries for environment variables that the code reads."""

_SETTINGS = ("global_config", "pipeline_config")
_SETTING_TYPES = ("GlobalConfig", "PipelineConfig")
_READS_ENVIRONMENT = ("environ", "getenv", "getenvb", "environb")


class PipelineBasis(dict[str, str]):
    """Names with digests or versions; ``modules`` are the local modules found."""

    modules: tuple[LocalModule, ...] = ()

    def digest(self) -> str:
        """Return one digest of all entries."""
        return digest(f"{name}\0{value}" for name, value in sorted(self.items()))

    def differences(self, other: Mapping[str, str]) -> list[str]:
        """Return the names that differ from another basis, sorted."""
        return sorted(name for name in self.keys() | other.keys() if self.get(name) != other.get(name))


def pipeline_basis(files: Iterable[PipelineFile], modules: Iterable[str]) -> PipelineBasis:
    """Return the part of the basis that comes from the pipeline's code and its libraries.

    Args:
        files: The pipeline files that define its steps. Comments, layout, ``global_config`` and ``pipeline_config`` are
            ignored: settings have entries of their own.
        modules: Names of the modules that define its functions.
    """
    files = tuple(files)
    imports = find_imports((file.text for file in files), modules)
    basis = PipelineBasis()
    basis.modules = imports.local
    basis["python"] = ".".join(map(str, sys.version_info[:2]))
    basis["openhcs-runtime"] = _own_version()
    for file in files:
        basis[f"pipeline {Path(file.name).name}"] = digest([_essence(file.text)])
    for module in imports.local:
        basis[f"module {module.name}"] = module.digest
    basis.update({f"library {library}": version for library, version in _versions(imports)})
    texts = [file.text.encode("utf-8", "surrogatepass") for file in files]
    sources = [*texts, *(module.content for module in imports.local)]
    constants = [_constants(source) for source in sources]
    basis.update(_environment(constants))
    basis.update(_named_files(constants))
    return basis


def digest(parts: Iterable[str]) -> str:
    """Return one digest of several texts."""
    value = hashlib.sha256()
    for part in parts:
        value.update(part.encode("utf-8", "surrogatepass"))
        value.update(b"\0")
    return value.hexdigest()


def _essence(text: str) -> str:
    """Return the syntax tree of a pipeline file without its settings, or its text if that can't be determined."""
    try:
        tree = parse_python(text)
    except (SyntaxError, ValueError):
        return text
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    spare = {name for name in _SETTINGS if name not in used}
    tree.body = [kept for node in tree.body if (kept := _without_settings(node, spare)) is not None]
    return ast.dump(tree)


def _without_settings(node: ast.stmt, spare: set[str]) -> ast.stmt | None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    if len(targets) == 1 and isinstance(targets[0], ast.Name) and targets[0].id in spare:
        return None
    if isinstance(node, ast.ImportFrom) and node.module == "openhcs_runtime":
        names = sorted((a for a in node.names if a.name not in _SETTING_TYPES), key=lambda alias: alias.name)
        return ast.ImportFrom(node.module, names, node.level) if names else None
    return node


@functools.cache
def _own_version() -> str:
    """Return the release and, in a checkout, the current state of its files."""
    version, folder = metadata.version("openhcs-runtime"), Path(openhcs_runtime.__file__).parent
    if "site-packages" in folder.parts:
        return version
    stats = [(path, path.stat()) for path in sorted(folder.rglob("*.py"))]
    state = digest(f"{path.relative_to(folder)} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats)
    return f"{version}+{state[:16]}"


def _versions(imports: Imports) -> Iterator[tuple[str, str]]:
    """Yield names and versions of the distributions of imported libraries and of all their requirements."""
    names = dict.fromkeys(_NUMERIC)
    for library in sorted(imports.libraries - OWN_PACKAGES):
        names.update(dict.fromkeys(_distributions_of(library)))
    waiting, found = list(names), dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name not in found and (known := _distribution(name)) is not None:
            found[name], requires = known
            waiting.extend(requires if name not in _NUMERIC else ())
    yield from sorted(found.items())
    yield from ((name, "not installed") for name in sorted(imports.missing))


def _distributions_of(library: str) -> tuple[str, ...]:
    """Return the distributions that provide an import name, usually one of the same name."""
    if _distribution(_normalized(library)) is not None:
        return (_normalized(library),)
    return tuple(map(_normalized, _packages_distributions().get(library, ())))


@functools.cache
def _packages_distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _distribution(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the version of a distribution and its requirements without extras; None if it is not installed."""
    try:
        found = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None
    text = found.read_text("METADATA")
    version, required = _parsed(text) if text else (found.version, tuple(found.requires or ()))
    lines = [line for line in required if "extra ==" not in line and "extra==" not in line]
    return version, tuple(_normalized(_name_in(line)) for line in lines)


@functools.lru_cache(maxsize=128)
def _parsed(text: str) -> tuple[str, tuple[str, ...]]:
    """Return version and requirements in the metadata of a distribution; parsing takes milliseconds."""
    parsed = email.message_from_string(text)
    return parsed["Version"], tuple(map(str, parsed.get_all("Requires-Dist", [])))


def _name_in(requirement: str) -> str:
    end = next((place for place, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), len(requirement))
    return requirement[:end]


def _normalized(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


@functools.lru_cache(maxsize=512)
def _constants(source: bytes) -> tuple[frozenset[str], bool]:
    """Return the strings in a source, and whether it reads environment variables whose names are not among them."""
    try:
        tree = parse_python(source)
    except (SyntaxError, ValueError):
        return frozenset(), False
    nodes = list(ast.walk(tree))
    texts = frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    reads = [node for node in nodes if _name_of(node) in _READS_ENVIRONMENT]
    named = [node for node in nodes if _reads_one_variable(node)]
    return texts, len(reads) > len(named)


def _name_of(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _reads_one_variable(node: ast.AST) -> bool:
    """Match ``environ["X"]``, ``environ.get("X")``, ``getenv("X")`` and ``"X" in environ``."""
    if isinstance(node, ast.Subscript):
        return _name_of(node.value) in _READS_ENVIRONMENT and isinstance(node.slice, ast.Constant)
    if isinstance(node, ast.Compare):
        return any(_name_of(side) in _READS_ENVIRONMENT for side in node.comparators) and isinstance(
            node.left, ast.Constant
        )
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        return _name_of(node.func) in _READS_ENVIRONMENT or (
            owner is not None and _name_of(owner) in _READS_ENVIRONMENT
        )
    return False


def _environment(constants: Iterable[tuple[frozenset[str], bool]]) -> Iterator[tuple[str, str]]:
    """Yield the variables that the code names; all variables if it reads some by a name created at run time."""
    known = list(constants)
    texts = frozenset[str]().union(*(texts for texts, _ in known))
    reads_any = any(reads for _, reads in known)
    for name, value in sorted(os.environ.items()):
        if name in texts or reads_any:
            yield VARIABLE_PREFIX + name, digest([value])


def _named_files(constants: Iterable[tuple[frozenset[str], bool]]) -> Iterator[tuple[str, str]]:
    """Yield the current state of files that strings in the code refer to, relative to the working folder."""
    texts = frozenset[str]().union(*(texts for texts, _ in constants))
    for text in sorted(texts):
        if not text or len(text) > 1024 or "\0" in text or "\n" in text:
            continue
        try:
            path = Path(text).expanduser()
            stat = path.stat() if path.is_file() else None
        except (OSError, ValueError, RuntimeError):
            continue
        if stat is not None:
            yield f"file {path}", f"{stat.st_size} {stat.st_mtime_ns}"
