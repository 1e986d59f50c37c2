"""What tells one loaded model from another, and whether it is still the one that would be loaded now."""

import hashlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import PurePath
from types import CodeType
from typing import Any

from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.pipeline.source import file_of_function
from openhcs_runtime.pipeline.used_files import local_module_files

__all__ = ["ModelCall", "ModelKey", "ModelVersion", "call_of", "is_replaced", "name_of"]

_PLAIN = (bool, int, float, complex, str, bytes, PurePath, Enum, type(None))


@dataclass(frozen=True, slots=True)
class ModelKey:
    """The loader of a model and the arguments it is called with.

    Attributes:
        place: where the loader is defined.
        arguments: type and value of each argument, with defaults.
    """

    place: str
    arguments: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call of a loader: its key, and the plain values among its arguments."""

    key: ModelKey
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """What a model was made from: code and files.

    Attributes:
        code: the code of the loader.
        text: digest of the pipeline file that defines it; empty for a function of a module.
        files: state of the files that were given as arguments and of all local modules.
    """

    code: CodeType
    text: str
    files: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, loader: Callable[..., object], call: ModelCall) -> "ModelVersion":
        """Return the version that would be loaded now."""
        paths = [*_files_in(call.values), *local_module_files()]
        return cls(_code_of(loader), _text_of(loader), tuple((path, _stamp(path)) for path in paths))

    def with_modules(self, later: "ModelVersion") -> "ModelVersion":
        """Return this version, taken before a model was loaded, with the modules that loading it has imported."""
        return replace(self, files=tuple((dict(later.files) | dict(self.files)).items()))

    def is_current(self, loader: Callable[..., object]) -> bool:
        """Return whether nothing has changed since the model was loaded."""
        return (
            _code_of(loader) == self.code
            and _text_of(loader) == self.text
            and all(_stamp(path) == stamp for path, stamp in self.files)
        )


def call_of(loader: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, Any]) -> ModelCall:
    """Return a call as a key and values; arguments that are not given have their defaults.

    Raises:
        PipelineError: an argument is of a type that can change, or that can't be compared.
        TypeError: the arguments don't fit the loader.
    """
    bound = inspect.signature(loader).bind(*args, **kwargs)
    bound.apply_defaults()
    arguments = tuple((name, _comparable(value, name, loader)) for name, value in bound.arguments.items())
    file = file_of_function(loader)
    place = f"{file.folder}\0{file.name}" if file else loader.__module__
    key = ModelKey(f"{place}\0{loader.__qualname__}", arguments)
    return ModelCall(key, tuple(_flat(bound.arguments.values())))


def name_of(loader: Callable[..., object]) -> str:
    """Return the loader's name and file for messages."""
    return f"model {loader.__qualname__} ({os.path.basename(_code_of(loader).co_filename)})"


def is_replaced(model: object) -> bool:
    """Return whether the class of a model was defined again since, when its module was loaded again."""
    kind = type(model)
    place: object = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        place = getattr(place, name, None)
    return isinstance(place, type) and place is not kind


def _comparable(value: object, name: str, loader: Callable[..., object]) -> object:
    """Return a value that is equal only for arguments that are the same, also in type."""
    if isinstance(value, _PLAIN):
        return type(value), value
    if isinstance(value, tuple | frozenset):
        parts = (_comparable(part, name, loader) for part in value)
        return type(value), tuple(parts) if isinstance(value, tuple) else frozenset(parts)
    if isinstance(value, dict):  # of a parameter **kwargs
        return tuple((key, _comparable(part, name, loader)) for key, part in sorted(value.items(), key=repr))
    raise PipelineError(
        f"{name_of(loader)}: argument {name} is of type {type(value).__name__}, which can't tell one model from "
        "another: use numbers, texts, paths or tuples of these"
    )


def _flat(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        if isinstance(value, tuple | frozenset):
            yield from _flat(value)
        elif isinstance(value, dict):
            yield from _flat(value.values())
        else:
            yield value


def _files_in(values: Iterable[object]) -> list[str]:
    """Return the values that are paths of existing files or folders."""
    texts = [os.fspath(value) for value in values if isinstance(value, str | PurePath)]
    return [text for text in texts if _stamp(text)]


def _code_of(loader: Callable[..., object]) -> CodeType:
    code = inspect.unwrap(loader).__code__
    assert isinstance(code, CodeType)
    return code


def _text_of(loader: Callable[..., object]) -> str:
    file = file_of_function(loader)
    return hashlib.sha256(file.text.encode("utf-8", "surrogatepass")).hexdigest() if file else ""


def _stamp(path: str) -> str:
    """Return size and time of a file, or those of all files in a folder; empty if there is no such file."""
    try:
        if not os.path.isdir(path):
            found = os.stat(path)
            return f"{found.st_size} {found.st_mtime_ns}"
    except (OSError, ValueError):
        return ""
    inside = sorted(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return hashlib.sha256("\0".join(f"{file} {_stamp(file)}" for file in inside).encode("utf-8", "replace")).hexdigest()
