"""Names, ids and other texts in requests: checked before they are sent, so that the error names them in words."""

import functools
import re
from collections.abc import Callable
from typing import Final

from msgspec import inspect

from zmqruntime.base_messages import ErrorCode, Message
from zmqruntime.exceptions import RequestRefusedError

__all__ = ["check_texts"]

_Check = Callable[[object, str], None]
"""Raises if a value cannot be used; the second argument says where it is."""

_WITHOUT_NAME: Final = "request"
"""The field of a schedule whose own fields are arguments of the caller."""
_NAME_PATTERN: Final = re.compile(r"\^\[0-9A-Za-z([^\]]*)\]\{(\d+),(\d+)\}\$")


def check_texts(message: Message) -> None:
    """Check the texts in a request against what its type says about their characters and lengths.

    Raises:
        RequestRefusedError: a server would refuse one of them; the error says which characters it may have.
    """
    check = _message_check(type(message))
    if check is not None:
        check(message, "")


@functools.lru_cache(maxsize=256)
def _message_check(kind: type[Message]) -> _Check | None:
    return _check_of(inspect.type_info(kind))


def _check_of(kind: inspect.Type) -> _Check | None:
    """Return the check of a type; None if all its values can be used as far as texts are concerned."""
    match kind:
        case inspect.Metadata(type=inner):
            return _check_of(inner)
        case inspect.StrType():
            return _text_check(kind)
        case inspect.ListType(item_type=item):
            return _list_check(_check_of(item))
        case inspect.DictType(key_type=key):
            return _key_check(_check_of(key))
        case inspect.UnionType(types=types):
            some = [each for each in types if not isinstance(each, inspect.NoneType)]
            return _optional_check(_check_of(some[0])) if len(some) == 1 else None
        case inspect.StructType(cls=cls, fields=fields):
            return _struct_check(cls, fields)
    return None


def _struct_check(cls: type, fields: tuple[inspect.Field, ...]) -> _Check | None:
    found = [(each.name, _check_of(each.type)) for each in fields]
    checks = [(name, check) for name, check in found if check is not None]
    if not checks:
        return None

    def check_fields(value: object, where: str) -> None:
        if isinstance(value, cls):
            for name, check in checks:
                path = "" if name == _WITHOUT_NAME else f"{where}.{name}" if where else name
                check(getattr(value, name), path)

    return check_fields


def _list_check(check: _Check | None) -> _Check | None:
    def check_all(value: object, where: str) -> None:
        if check is not None and isinstance(value, list | tuple):
            for number, each in enumerate(value):
                check(each, f"{where}[{number}]")

    return None if check is None else check_all


def _key_check(check: _Check | None) -> _Check | None:
    def check_keys(value: object, where: str) -> None:
        if check is not None and isinstance(value, dict):
            for each in value:
                check(each, f"a key of {where},")

    return None if check is None else check_keys


def _optional_check(check: _Check | None) -> _Check | None:
    def check_it(value: object, where: str) -> None:
        if check is not None and value is not None:
            check(value, where)

    return None if check is None else check_it


def _text_check(kind: inspect.StrType) -> _Check | None:
    least, most = kind.min_length or 0, kind.max_length
    if kind.pattern is None and not least and most is None:
        return None
    words = _words_of(kind)
    fits = None if kind.pattern is None else re.compile(kind.pattern).search

    def check(value: object, where: str) -> None:
        if not isinstance(value, str):
            raise _refused(f"{where} must be a string, not {type(value).__name__}")
        is_long = most is not None and len(value) > most
        if len(value) < least or is_long or (fits is not None and fits(value) is None):
            raise _refused(f"{where} {_shown(value)} cannot be used: use {words}")

    return check


def _words_of(kind: inspect.StrType) -> str:
    if kind.pattern is None:
        most = "" if kind.max_length is None else f"{kind.max_length:,}"
        return f"{kind.min_length} to {most} characters" if kind.min_length else f"at most {most} characters"
    found = _NAME_PATTERN.fullmatch(kind.pattern)
    if found is None:
        return f"a text that matches the regular expression {kind.pattern}"
    others = " ".join(found[1])
    return f"{found[2]} to {found[3]} of the letters a to z and A to Z, the digits, and {others}"


def _shown(value: str) -> str:
    return repr(value) if len(value) <= 80 else f"of {len(value):,} characters, {value[:40]!r}...,"


def _refused(text: str) -> RequestRefusedError:
    return RequestRefusedError(ErrorCode.INVALID, text)
