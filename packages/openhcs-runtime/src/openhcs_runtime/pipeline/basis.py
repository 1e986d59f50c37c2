"""What the values of a well depend on besides its images, as names and digests.

Two runs whose bases are equal compute the same from the same images. Where they differ, the names say in what: a
pipeline that was edited, a module next to it, a setting, the version of a library, an environment variable that the
code reads, a file that it names.
"""

import ast
import functools
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import openhcs_runtime
from openhcs_runtime.pipeline.local_imports import OWN_PACKAGES, Imports, LocalModule, find_imports
from openhcs_runtime.pipeline.source import PipelineFile

__all__ = ["VARIABLE_PREFIX", "PipelineBasis", "digest", "pipeline_basis"]

_NUMERIC = ("numpy", "scipy", "scikit-image", "tifffile", "imagecodecs", "zarr")
"""The libraries by which the engine reads images and its own functions compute."""

VARIABLE_PREFIX = "environment variable "
"""How the name of a variable that the code reads begins in a basis."""

_SETTINGS = ("global_config", "pipeline_config")
_SETTING_TYPES = ("GlobalConfig", "PipelineConfig")
_READS_ENVIRONMENT = ("environ", "getenv", "getenvb", "environb")


class PipelineBasis(dict[str, str]):
    """Names with digests or versions; `modules` are the local modules that were found."""

    modules: tuple[LocalModule, ...] = ()

    def differences(self, other: Mapping[str, str]) -> list[str]:
        """The names that differ from another basis, in order."""
        return sorted(name for name in self.keys() | other.keys() if self.get(name) != other.get(name))


def pipeline_basis(files: Iterable[PipelineFile], modules: Iterable[str]) -> PipelineBasis:
    """What the pipeline's own code and its libraries contribute.

    Args:
        files: the pipeline files that its steps come from. Comments, layout, and what they say of `global_config` and
            `pipeline_config` do not count: settings have entries of their own.
        modules: names of the modules that its functions come from.
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
    """One digest of several texts."""
    value = hashlib.sha256()
    for part in parts:
        value.update(part.encode("utf-8", "surrogatepass"))
        value.update(b"\0")
    return value.hexdigest()


def _essence(text: str) -> str:
    """The pipeline file as a syntax tree without its settings; the text itself where that cannot be told."""
    try:
        tree = ast.parse(text)
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
    """The release; of a checkout also what its files are at the moment."""
    version, folder = metadata.version("openhcs-runtime"), Path(openhcs_runtime.__file__).parent
    if "site-packages" in folder.parts:
        return version
    stats = [(path, path.stat()) for path in sorted(folder.rglob("*.py"))]
    state = digest(f"{path.relative_to(folder)} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats)
    return f"{version}+{state[:16]}"


def _versions(imports: Imports) -> Iterator[tuple[str, str]]:
    """The distributions of the imported libraries and of all that those require."""
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
    """The distributions that an import name comes from; usually they have the same name."""
    if _distribution(_normalized(library)) is not None:
        return (_normalized(library),)
    return tuple(map(_normalized, _packages_distributions().get(library, ())))


@functools.cache
def _packages_distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _distribution(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Version of a distribution and the names of what it requires without extras; None when it is not installed."""
    try:
        found = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None
    lines = [line for line in found.requires or () if "extra ==" not in line and "extra==" not in line]
    return found.version, tuple(_normalized(_name_in(line)) for line in lines)


def _name_in(requirement: str) -> str:
    end = next((place for place, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), len(requirement))
    return requirement[:end]


def _normalized(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


@functools.lru_cache(maxsize=512)
def _constants(source: bytes) -> tuple[frozenset[str], bool]:
    """The texts that stand in a source, and whether it reads the environment in a way that its text does not name."""
    try:
        tree = ast.parse(source)
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
    """`environ["X"]`, `environ.get("X")`, `getenv("X")`, `"X" in environ`."""
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
    """The variables that the code names; all of them where it reads some by a name that is made at run time."""
    known = list(constants)
    texts = frozenset[str]().union(*(texts for texts, _ in known))
    reads_any = any(reads for _, reads in known)
    for name, value in sorted(os.environ.items()):
        if name in texts or reads_any:
            yield VARIABLE_PREFIX + name, digest([value])


def _named_files(constants: Iterable[tuple[frozenset[str], bool]]) -> Iterator[tuple[str, str]]:
    """The files that the code names by a text, as they are now; relative to the working folder."""
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
