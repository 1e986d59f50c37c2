"""Texts that identify the arguments of a pipeline's functions, equal in any process for equal values."""

import dataclasses
import hashlib
import pickle
import secrets
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from types import CodeType

from openhcs_runtime.pipeline.basis import digest
from openhcs_runtime.pipeline.decorators import StepFunction
from openhcs_runtime.pipeline.source import file_of_function

_PLAIN = (bool, int, float, complex, str, bytes, PurePath, type(None))


def stable_text(value: object) -> str:
    """Return a text that is equal for equal values, in any process."""
    if isinstance(value, Enum):
        return f"{type(value).__qualname__}.{value.name}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f"{f.name}={stable_text(getattr(value, f.name))}" for f in dataclasses.fields(value)]
        return f"{type(value).__qualname__}({', '.join(fields)})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {stable_text(v)}" for k, v in sorted(value.items(), key=repr)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(stable_text, value)) + "]"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(map(stable_text, value))) + "}"
    if isinstance(value, _PLAIN):
        return repr(value)
    if callable(value):
        return _function_text(value)
    return _content_text(value)


def _content_text(value: object) -> str:
    """Return a text for any other object, based on its pickled content because its repr may be abbreviated.

    If the object can't be pickled, the text is unique.
    """
    try:
        return f"{type(value).__qualname__} {hashlib.sha256(pickle.dumps(value)).hexdigest()}"
    except Exception:  # noqa: BLE001  pickling runs the code of the object
        return f"{type(value).__qualname__} {secrets.token_hex(16)}"


def _function_text(function: StepFunction) -> str:
    """Return the name of a function, with its code if its source text is not part of the basis otherwise."""
    name = getattr(function, "__qualname__", repr(function))
    if file_of_function(function):
        return f"pipeline:{name}"
    module, code = getattr(function, "__module__", ""), getattr(function, "__code__", None)
    if isinstance(code, CodeType) and (module == "__main__" or "<" in name):
        cells = [_content_text(cell.cell_contents) for cell in function.__closure__ or ()]
        return f"{module}:{name} {_code_text(code)} {' '.join(cells)}"
    return f"{module}:{name}"


def _code_text(code: CodeType) -> str:
    constants = [_code_text(value) if isinstance(value, CodeType) else repr(value) for value in code.co_consts]
    return digest([code.co_code.hex(), *constants, *code.co_names])
