"""Values that were opened, as text for people and as JSON for programs.

Text is close to what Python prints. JSON has plain values as they are; what it has no notation for is an object with
``$type`` that says what it is, so that nothing is taken for something else and nothing is lost.
"""

import base64
import datetime
import decimal
import enum
import json
import math
import pathlib
import uuid
from typing import Any, Final

from zmqruntime.execution.executor.opened import Array, Failure, Items, Member, Opaque, Pairs, Record

__all__ = ["json_of", "json_text", "text_of"]

_MARK: Final = "$type"
_SHOWN_ELEMENTS: Final = 8
_TEXTS: Final = (datetime.datetime, datetime.date, datetime.time, decimal.Decimal, uuid.UUID)


def json_text(value: Any) -> bytes:
    """Return a value of :func:`~zmqruntime.execution.executor.opened.open_value` as a JSON document."""
    return json.dumps(json_of(value), allow_nan=False, ensure_ascii=True, indent=1).encode()


def json_of(value: Any) -> Any:
    """Return a value of :func:`~zmqruntime.execution.executor.opened.open_value` as what JSON can express."""
    match value:
        case None | bool() | str():
            return value
        case float():
            return value if math.isfinite(value) else {_MARK: "float", "value": str(value)}
        case int() if not isinstance(value, enum.Enum):
            return value
        case list():
            return [json_of(each) for each in value]
        case dict() if _is_plain(value):
            return {key: json_of(each) for key, each in value.items()}
        case dict():
            return _pairs_json(list(value.items()))
        case _:
            return _marked(value)


def text_of(value: Any) -> str:
    """Return a value of :func:`~zmqruntime.execution.executor.opened.open_value` as text close to Python's own."""
    match value:
        case list():
            return f"[{_joined(value)}]"
        case dict():
            return f"{{{', '.join(f'{text_of(key)}: {text_of(each)}' for key, each in value.items())}}}"
        case Pairs():
            return f"{{{', '.join(f'{text_of(key)}: {text_of(each)}' for key, each in value.values)}}}"
        case Items("tuple"):
            return f"({_joined(value.values)}{',' if len(value.values) == 1 else ''})"
        case Items():
            shown = f"{{{_joined(value.values)}}}" if value.values else ""
            return shown if shown and value.kind == "set" else f"{value.kind}({shown})"
        case Record():
            return (
                f"{_name(value.reference)}({', '.join(f'{key}={text_of(each)}' for key, each in value.fields.items())})"
            )
        case Member():
            return f"{_name(value.reference)}{f'.{value.name}' if value.name else f'({text_of(value.value)})'}"
        case Array():
            return _array_text(value)
        case Failure():
            return f"{value.kind}: {value.text}" if value.text else value.kind
        case Opaque():
            return f"{value.what}, {len(value.data):,} bytes"
        case pathlib.PurePath() | datetime.date() | datetime.time() | uuid.UUID() | decimal.Decimal():
            return str(value)
        case _:
            return repr(value)


def _joined(values: list[Any]) -> str:
    return ", ".join(map(text_of, values))


def _name(reference: str) -> str:
    """Return the name of a type without its module."""
    return reference.rpartition(":")[2]


def _array_text(array: Array) -> str:
    if array.is_scalar and array.values:
        return str(array.values[0])
    dtype = _dtype_text(array.dtype)
    if array.is_scalar:
        return f"scalar of {dtype}"
    shape = " x ".join(map(str, array.shape)) or "no dimensions"
    few = array.values if array.values is not None and len(array.shape) == 1 else ()
    shown = f": {', '.join(map(str, few))}" if 0 < len(few) <= _SHOWN_ELEMENTS else ""
    return f"array of {dtype}, {shape}{shown}"


def _dtype_text(dtype: Any) -> str:
    """Return ``float64`` for ``<f8``, and other descriptions of numpy as they are."""
    kinds = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
    if isinstance(dtype, str) and dtype[1:2] in kinds and dtype[2:].isdigit():
        return f"{kinds[dtype[1]]}{8 * int(dtype[2:])}"
    if isinstance(dtype, str):
        return "bool" if dtype == "|b1" else dtype
    return f"fields {', '.join(str(field[0]) for field in dtype)}"


def _is_plain(value: dict[Any, Any]) -> bool:
    return _MARK not in value and all(isinstance(key, str) for key in value)


def _marked(value: Any) -> dict[str, Any]:
    match value:
        case Items():
            return {_MARK: value.kind, "values": [json_of(each) for each in value.values]}
        case Pairs():
            return _pairs_json(value.values)
        case Record():
            return {_MARK: value.reference, "fields": {key: json_of(each) for key, each in value.fields.items()}}
        case Member():
            return {_MARK: value.reference, "name": value.name, "value": json_of(value.value)}
        case Array():
            return _array_json(value)
        case Failure():
            return {_MARK: "exception", "kind": value.kind, "text": value.text}
        case Opaque():
            return {_MARK: value.what, "base64": _base64(value.data)}
        case bytes() | bytearray():
            return {_MARK: type(value).__name__, "base64": _base64(bytes(value))}
        case complex():
            return {_MARK: "complex", "real": json_of(value.real), "imag": json_of(value.imag)}
        case datetime.timedelta():
            return {
                _MARK: "timedelta",
                "days": value.days,
                "seconds": value.seconds,
                "microseconds": value.microseconds,
            }
        case range():
            return {_MARK: "range", "values": [value.start, value.stop, value.step]}
        case pathlib.PurePath():
            return {_MARK: "path", "value": str(value)}
        case _ if isinstance(value, _TEXTS):
            return _text_json(value)
        case _:
            return {_MARK: type(value).__name__, "text": str(value)}


def _text_json(value: Any) -> dict[str, Any]:
    shown = value.isoformat() if hasattr(value, "isoformat") else str(value)
    zone = getattr(getattr(value, "tzinfo", None), "key", None)
    return {_MARK: type(value).__name__, "value": shown, **({"zone": zone} if zone else {})}


def _pairs_json(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    return {_MARK: "dict", "items": [[json_of(key), json_of(each)] for key, each in pairs]}


def _array_json(array: Array) -> dict[str, Any]:
    what: dict[str, Any] = {_MARK: "scalar" if array.is_scalar else "array", "dtype": array.dtype}
    if array.is_scalar and array.values:
        return {**what, "value": json_of(array.values[0])}
    what |= {} if array.is_scalar else {"shape": list(array.shape), "order": array.order}
    if array.values is None:
        return {**what, "base64": _base64(array.data)}
    return {**what, "values": [json_of(each) for each in array.values]}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
