"""Values from the JSON and CSV files next to images: only what is a usable number is taken."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from openhcs_runtime.stores.path import AnyPath

__all__ = ["LARGEST", "number", "object_of", "positive", "read_json", "text_of"]

LARGEST = 64 * 2**20
"""Larger files, in bytes, are not read."""


def text_of(path: AnyPath) -> str:
    """Return the text of a file.

    Raises:
        ValueError: If it is too large or not UTF-8.
        OSError: If it can't be read.
    """
    if isinstance(path, Path) and (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"it has {size:,} bytes")
    return path.read_bytes().decode("utf-8-sig")


def read_json(path: AnyPath) -> Mapping[str, object]:
    """Return the object in a JSON file.

    Raises:
        ValueError: If it is damaged, too large or not an object.
        OSError: If it can't be read.
    """
    try:
        found = json.loads(text_of(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    return found


def object_of(parent: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return the object of a name in another one; empty if there is none."""
    found = parent.get(name)
    return found if isinstance(found, dict) else {}


def number(value: object) -> float | None:
    """Return a finite number, also from a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def positive(value: object) -> float | None:
    """Return a finite number above 0; None for anything else."""
    found = number(value)
    return found if found is not None and found > 0 else None
