"""Validation of encoded bytes before they are decoded into objects.

A decoder uses its own stack for nesting and creates an object for every element. It is therefore only given bytes that
are complete, not nested deeper than :data:`MAX_DEPTH`, do not have more elements than the reader allows, and contain
only UTF-8 text, existing times and keys that can be keys. The format is msgpack: github.com/msgpack/msgpack,
``spec.md``.
"""

import re
import struct
from collections.abc import Iterable

import msgspec

__all__ = ["MAX_DEPTH", "MAX_ELEMENTS", "MAX_RESULT_ELEMENTS", "problem_in", "simple_parts"]

MAX_DEPTH = 100
"""Maximum nesting depth of lists and maps in a value."""
MAX_ELEMENTS = 1_000_000
"""Maximum number of elements in all lists and maps of one message together."""
MAX_RESULT_ELEMENTS = 10_000_000
"""Maximum number of elements in one result, which a server never decodes."""

_ENVELOPE_DEPTH = 10
_SCALARS = re.compile(rb"[\x00-\x7f\x90\xa0\xc0\xc2\xc3\xe0-\xff]+")  # values of one byte, without content
_WIDTHS = {0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9, 0xCA: 5, 0xCB: 9}  # of numbers
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_LENGTHS = {
    first: struct.Struct(form)
    for form, firsts in ((">B", (0xC4, 0xC7, 0xD9)), (">H", (0xC5, 0xC8, 0xDA, 0xDC, 0xDE)))
    for first in firsts
} | {first: struct.Struct(">I") for first in (0xC6, 0xC9, 0xDB, 0xDD, 0xDF)}
_RUN = 4096
_TIME = 0xFF  # extension type -1

_CONTAINERS = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])
_EXTENSIONS = bytes([0xC1, 0xC7, 0xC8, 0xC9, *range(0xD4, 0xD9)])
_LEVELS = 8
_DECODED_BYTES = 8 * 1024  # of a value that is decoded to find out whether it can be
_BYTES_OF_PART = 32

_decode_any = msgspec.msgpack.Decoder().decode
_split_list = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_split_map = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode


class _Bad(Exception):
    """The bytes must not be decoded; the text says why."""


def problem_in(
    data: bytes, *, max_elements: int = MAX_ELEMENTS, is_message: bool = False, max_steps: int | None = None
) -> str | None:
    """Return why a value must not be decoded, or None if it may be.

    Args:
        data: the encoded value.
        max_elements: maximum number of elements in all its lists and maps together.
        is_message: whether it is a whole message that contains values, and may be nested a few levels deeper.
        max_steps: number of steps after which the rest is accepted unseen, for callers that must be quick and do not
            decode it; a step is a container, a text or a run of equal scalars [default: no limit].
    """
    if len(data) <= max_elements and _is_decodable(data, is_message):
        return None
    try:
        _scan(data, max_elements, MAX_DEPTH + (_ENVELOPE_DEPTH if is_message else 0), max_steps or len(data) + 1)
    except _Bad as error:
        return str(error)
    except (IndexError, struct.error):
        return "it ends in the middle of a value"
    return None


def simple_parts(data: bytes) -> list[bytes] | None:
    """Return values that a value consists of, each with too few lists and maps to be nested too deeply.

    Returns:
        The values; None if there are too many of them, or too deep in it, or it cannot be taken apart.
    """
    found: list[bytes] = []
    values = [data]
    try:
        for _ in range(_LEVELS):
            found += [value for value in values if _is_simple(value)]
            values = [value for value in values if not _is_simple(value)]
            if not values:
                return found
            if any(_has_small_parts(value) for value in values):
                return None
            values = [bytes(part) for value in values for part in _parts_of(value)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, struct.error):
        pass
    return None


def _is_simple(data: bytes) -> bool:
    return data[:1] not in _CONTAINERS or len(data) - len(data.translate(None, _CONTAINERS)) <= MAX_DEPTH


def _has_small_parts(value: bytes) -> bool:
    """Whether it is a long list or map of short values, which a scan passes in runs."""
    form = _LENGTHS.get(value[0])
    return form is not None and form.unpack_from(value, 1)[0] * _BYTES_OF_PART > len(value)


def _parts_of(value: bytes) -> Iterable[msgspec.Raw]:
    if not (0x80 <= value[0] <= 0x8F or value[0] >= 0xDE):
        return _split_list(value)
    found = _split_map(value)
    if len(found) != _header(value, 0, value[0])[1]:
        raise msgspec.DecodeError("it has two values of one key")
    return found.values()


def _is_decodable(data: bytes, is_message: bool) -> bool:
    """Whether a message or a short value is proven to be one by decoding its parts, which is faster than a scan."""
    parts = simple_parts(data) if is_message else [data] if _is_simple(data) else None
    if parts is None:
        return False
    try:
        for part in parts:
            if len(part) > _DECODED_BYTES or len(part.translate(None, _EXTENSIONS)) < len(part):
                _scan(part, len(part), MAX_DEPTH, len(part) + 1)
            else:
                _decode_any(part)
    except (_Bad, msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError, struct.error):
        return False  # the scan of the whole says what is wrong
    return True


def _scan(data: bytes, max_elements: int, max_depth: int, max_steps: int) -> None:
    """Scan the bytes once, without recursion; ``left`` counts the values still missing from the open container."""
    at, end, left, elements = 0, len(data), 1, 0
    is_map = in_key = False
    outer: list[tuple[int, bool, bool]] = []
    for _ in range(max_steps):
        while left == 0:
            if not outer:
                if at != end:
                    raise _Bad("there is extra data after its end")
                return
            left, is_map, in_key = outer.pop()
        first = data[at]
        header, length = _header(data, at, first)
        if header is None:
            count, at = _skip(data, at, first, length, left)
            left -= count
        elif 0x80 <= first <= 0x9F or first >= 0xDC:
            is_key = in_key or (is_map and left % 2 == 0)
            is_map_too = first < 0x90 or first in (0xDE, 0xDF)
            if is_key and is_map_too:
                raise _Bad("it contains a map with a map as a key")
            elements += length
            if elements > max_elements:
                raise _Bad(f"its lists and maps have more than {max_elements:,} elements; write them to a file")
            if len(outer) >= max_depth:
                raise _Bad(f"its lists and maps are nested deeper than {MAX_DEPTH} levels")
            outer.append((left - 1, is_map, in_key))
            at, left, is_map, in_key = at + header, length * (2 if is_map_too else 1), is_map_too, is_key
        else:
            begin = at
            at += header + length
            left -= 1
            if 0xA0 <= first <= 0xBF or 0xD9 <= first <= 0xDB:
                _check_text(data, begin + header, at)
            elif first >= 0xC7:
                if in_key or (is_map and left % 2 == 1):
                    raise _Bad("it contains a map with a value of an extension type as a key")
                _check_extension(data, begin, at, data[begin + header - 1])
        if at > end:
            raise IndexError


def _header(data: bytes, at: int, first: int) -> tuple[int | None, int]:
    """Return the size of the header at ``at`` and the length it states; for a scalar, None and its width."""
    if first in _WIDTHS:
        return None, _WIDTHS[first]
    if 0xA0 < first <= 0xBF:
        return 1, first & 0x1F
    if 0x80 <= first <= 0x9F and first != 0x90:
        return 1, first & 0x0F
    if first in _LENGTHS:
        form = _LENGTHS[first]
        (length,) = form.unpack_from(data, at + 1)
        return 1 + form.size + (0xC7 <= first <= 0xC9), length
    if first in _FIXED_EXTENSIONS:
        return 2, _FIXED_EXTENSIONS[first]
    if first == 0xC1:
        raise _Bad("it contains a byte that msgpack does not use")
    return None, 1


def _skip(data: bytes, at: int, first: int, width: int, left: int) -> tuple[int, int]:
    """Return how many scalars of one width follow, at most ``left``, and where they end."""
    if width == 1:
        run = _SCALARS.match(data, at, at + left)
        assert run is not None
        return run.end() - at, run.end()
    if left == 1:
        return 1, at + width
    heads = data[at : at + width * min(left, _RUN) : width]
    count = len(heads) - len(heads.lstrip(heads[:1]))
    return count, at + count * width


def _check_text(data: bytes, begin: int, end: int) -> None:
    text = data[begin:end]
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise _Bad(f"it contains text that is not UTF-8: {error}") from None


def _check_extension(data: bytes, begin: int, end: int, kind: int) -> None:
    if kind == _TIME:
        try:
            _decode_any(data[begin:end])
        except msgspec.MsgspecError as error:
            raise _Bad(f"it contains a time that does not exist: {error}") from None
