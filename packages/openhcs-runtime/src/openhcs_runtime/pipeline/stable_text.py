"""Texts that identify the arguments of a pipeline's functions, equal in any process for equal values only."""

import dataclasses
import functools
import hashlib
import pickle
import secrets
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from openhcs_runtime.pipeline.basis import digest
from openhcs_runtime.pipeline.source import file_of_function

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_OWN_PICKLING = {"__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__", "__slots__"}


def stable_text(value: object) -> str:
    """Return a text that is equal for equal values, in any process, and differs for values that act differently.

    Containers of different kinds or in another order differ. If a value can't be described, its text is unique.
    """
    kind = type(value)
    if kind in _PLAIN or (isinstance(value, PurePath) and kind.__module__.startswith("pathlib")):
        return repr(value)
    if isinstance(value, Enum):
        return f"{_name(kind)}.{value.name}={stable_text(value.value)}"
    if kind is dict:
        return f"{{{_pairs(value)}}}"  # type: ignore[arg-type]
    if kind in (list, tuple):
        inner = ", ".join(map(stable_text, value))  # type: ignore[call-overload]
        return f"[{inner}]" if kind is list else f"({inner},)"
    if kind in (set, frozenset):
        return f"{kind.__name__}({', '.join(sorted(map(stable_text, value)))})"  # type: ignore[call-overload]
    if isinstance(value, BuiltinFunctionType) and not isinstance(value.__self__, ModuleType | None):
        return _content_text(value)
    if isinstance(value, type | FunctionType | BuiltinFunctionType | np.ufunc):
        return _function_text(value)
    if isinstance(value, MethodType):
        return f"{_function_text(value.__func__)} of {stable_text(value.__self__)}"
    if type(value) is functools.partial:
        return f"partial({stable_text(value.func)}, {stable_text(value.args)}, {stable_text(value.keywords)})"
    if dataclasses.is_dataclass(value):
        fields: dict[object, object] = {
            field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)
        }
        return f"{_name(kind)}({_pairs({**fields, **getattr(value, '__dict__', {})})})"
    if _is_described_by_attributes(kind):
        return f"{_name(kind)}({_pairs(dict(vars(value)))})"
    return _content_text(value)


def _pairs(entries: Mapping[Any, object]) -> str:
    return ", ".join(f"{stable_text(name)}: {stable_text(entry)}" for name, entry in entries.items())


def _is_described_by_attributes(kind: type) -> bool:
    """Return whether objects of a class consist of their attributes: a plain class written in Python."""
    return kind.__mro__[1:] == (object,) and "__dict__" in kind.__dict__ and not (_OWN_PICKLING & kind.__dict__.keys())


def _name(kind: type) -> str:
    """Return the name of a class; that of a pipeline file is known by the text of the file."""
    return f"{'pipeline' if file_of_function(kind) else kind.__module__}:{kind.__qualname__}"


def _content_text(value: object) -> str:
    """Return a text for any other object, based on its pickled content because its repr may be abbreviated.

    If the object can't be pickled, the text is unique.
    """
    try:
        return f"{_name(type(value))} {hashlib.sha256(pickle.dumps(value)).hexdigest()}"
    except Exception:  # noqa: BLE001  pickling runs the code of the object
        return f"{_name(type(value))} {secrets.token_hex(16)}"


def _function_text(function: object) -> str:
    """Return the name of a function, with its code if its source text is not part of the basis otherwise."""
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", "")
    if file_of_function(function):
        return f"pipeline:{name}"
    module, code = getattr(function, "__module__", ""), getattr(function, "__code__", None)
    if (
        isinstance(function, FunctionType)
        and isinstance(code, CodeType)
        and (module == "__main__" or "<" in (name or ""))
    ):
        cells = [_content_text(cell.cell_contents) for cell in function.__closure__ or ()]
        return f"{module}:{name} {_code_text(code)} {' '.join(cells)}"
    return f"{module}:{name}" if name else _content_text(function)


def _code_text(code: CodeType) -> str:
    constants = [_code_text(value) if isinstance(value, CodeType) else repr(value) for value in code.co_consts]
    return digest([code.co_code.hex(), *constants, *code.co_names])
