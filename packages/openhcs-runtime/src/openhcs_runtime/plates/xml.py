"""Safe reading of XML metadata: without document types and entities, with finite numbers, and with errors in words."""

import functools
import io
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from xml.parsers import expat

from openhcs_runtime.plates.opened import open_file
from openhcs_runtime.stores.path import AnyPath

__all__ = ["XmlError", "attributes", "children", "elements", "local_name", "number", "text_of", "tree", "whole_number"]

_PIECE = 65536
_MOST_DIGITS = 9


class XmlError(ValueError):
    """A file is not XML that can be read; the message says why, without the name of the file."""


def elements(path: AnyPath, *names: str) -> Iterator[ET.Element]:
    """Yield the elements with one of these names (without namespaces), and free each of them afterwards.

    Raises:
        XmlError: If the file is not XML, has a document type or is not valid text.
        OSError: If it can't be read.
    """
    _check_prolog(path)
    try:
        with open_file(path) as file:
            for _, element in ET.iterparse(file):
                if local_name(element.tag) in names:
                    yield element
                    element.clear()
    except (ET.ParseError, LookupError) as error:
        raise _explained(path, error) from error


def tree(path: AnyPath, *, fallback: str = "") -> ET.Element:
    """Return the root element of a small file.

    Args:
        path: The file.
        fallback: The encoding of files that are neither valid UTF-8 nor state an encoding.

    Raises:
        XmlError: If the file is not XML, has a document type or is not valid text.
        OSError: If it can't be read.
    """
    encoding = fallback if fallback and _is_undeclared(path) else None
    _check_prolog(path, encoding)
    try:
        with open_file(path) as file:
            return ET.parse(file, ET.XMLParser(encoding=encoding)).getroot()
    except (ET.ParseError, LookupError) as error:
        raise _explained(path, error) from error


@functools.lru_cache(maxsize=4096)
def local_name(tag: str) -> str:
    """Return the name of an element or attribute without its namespace."""
    return tag.rpartition("}")[2]


def attributes(element: ET.Element) -> dict[str, str]:
    """Return the attributes by their names without namespaces."""
    return {local_name(name): value for name, value in element.items()}


def children(element: ET.Element) -> dict[str, ET.Element]:
    """Return the last child of each name, without namespaces."""
    return {local_name(child.tag): child for child in element}


def text_of(element: ET.Element | None) -> str:
    """Return the text of an element; empty if there is none."""
    return (element.text or "").strip() if element is not None else ""


def number(text: str) -> float:
    """Return a finite number.

    Raises:
        ValueError: If it is not one.
    """
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a number")
    return value


def whole_number(text: str, lowest: int = 1) -> int:
    """Return a whole number.

    Raises:
        ValueError: If it is not one, or less than ``lowest``.
    """
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isdecimal() and len(stripped) <= _MOST_DIGITS) or int(stripped) < lowest:
        raise ValueError(f"{text!r} is not a whole number from {lowest}")
    return int(stripped)


class _Started(Exception):
    """The root element has started."""


def _check_prolog(path: AnyPath, encoding: str | None = None) -> None:
    """Read up to the root element, so that no entity is ever expanded: they can only be declared before it."""
    parser = expat.ParserCreate(encoding)

    def refuse(*_: object) -> None:
        raise XmlError("it has a document type (DTD), whose entities are not safe to read")

    def stop(*_: object) -> None:
        raise _Started

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = stop
    try:
        with open_file(path) as file:
            while piece := file.read(_PIECE):
                parser.Parse(piece, False)
            parser.Parse(b"", True)
    except _Started:
        return
    except (expat.ExpatError, LookupError) as error:
        raise _explained(path, error) from error


def _explained(path: AnyPath, error: Exception) -> XmlError:
    if _is_undeclared(path):
        return XmlError("it is not valid UTF-8 text")
    return XmlError(f"it is not XML ({error})")


def _is_undeclared(path: AnyPath) -> bool:
    """Return whether a file is not UTF-8 and does not state another encoding either."""
    with open_file(path) as file:
        first = file.read(200)
    head = first.partition(b"?>")[0].lower()
    if first.startswith((b"\xff\xfe", b"\xfe\xff")) or (b"encoding=" in head and b"utf-8" not in head):
        return False
    try:
        with io.TextIOWrapper(open_file(path), encoding="utf-8") as text:
            while text.read(_PIECE):
                pass
    except UnicodeDecodeError:
        return True
    return False
