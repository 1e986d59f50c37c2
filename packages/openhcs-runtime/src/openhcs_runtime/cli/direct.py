"""Runs a command that was typed plainly without typer's own conversion of its options.

typer loads a validation library for that, which takes as long as all the rest of the command line. What is read here is
what the declarations of the commands say: known options written out in full, with values that need no other conversion
than the command's own. Anything else is left to typer: help, abbreviations, options that may be repeated, completion,
and every error.
"""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from openhcs_runtime.cli.declare import Argument, BadParameter, Option, Parameter

__all__ = ["read_plainly"]

_COMPLETION = "_OPENHCS_RUNTIME_COMPLETE"
_KINDS: dict[type, Callable[[str], object]] = {str: str, Path: Path}


class _NotPlainError(Exception):
    """Typer has to read what was typed."""


@dataclass(frozen=True, slots=True)
class _Declared:
    """A parameter of a command."""

    name: str
    info: Parameter
    kind: type
    default: object
    is_many: bool = False
    """Whether it takes all the words that are left, in a list."""

    @property
    def is_flag(self) -> bool:
        return self.kind is bool

    @property
    def words(self) -> Sequence[str]:
        """The ways in which it is written; a flag that has none of its own also has a ``--no-`` form."""
        return self.info.words or (() if self.is_flag else (f"--{self.name.replace('_', '-')}",))

    def value_of(self, text: str) -> object:
        """Convert what was typed.

        Raises:
            _NotPlainError: typer does more than the command's own conversion.
        """
        convert = self.info.parser or _KINDS.get(self.kind)
        if convert is None:
            raise _NotPlainError
        return convert(text)

    def checked(self, value: object) -> object:
        """Return what the command's own check makes of a value, given or not."""
        check = self.info.callback
        if check is None:
            return value
        return check(value)


def read_plainly(command: Callable[..., int], typed: Sequence[str]) -> dict[str, Any] | None:
    """Return the arguments to call a command with; None if typer has to read what was typed."""
    if _COMPLETION in os.environ:
        return None
    try:
        declared = [_declared(parameter) for parameter in inspect.signature(command).parameters.values()]
        return _values(declared, _assigned(declared, typed))
    except (_NotPlainError, BadParameter):
        return None


def _declared(parameter: inspect.Parameter) -> _Declared:
    kind, info = (*get_args(parameter.annotation), None)[:2]
    assert isinstance(info, Parameter)
    if isinstance(kind, UnionType):
        kinds = [one for one in get_args(kind) if one is not NoneType]
        kind = kinds[0] if len(kinds) == 1 else object
    is_many = get_origin(kind) is list and isinstance(info, Argument)
    if is_many:
        kind = get_args(kind)[0]
    kind = kind if get_origin(kind) is None else object
    return _Declared(parameter.name, info, kind, parameter.default, is_many)


def _assigned(declared: Sequence[_Declared], typed: Sequence[str]) -> dict[str, str | bool | list[str]]:
    """Return what was typed for each parameter."""
    options = {word: one for one in declared if isinstance(one.info, Option) for word in one.words}
    places = [one for one in declared if isinstance(one.info, Argument)]
    found: dict[str, str | bool | list[str]] = {}
    words = iter(typed)
    for word in words:
        name, has_value, value = word.partition("=")
        free = (place for place in places if place.is_many or place.name not in found)
        one = options.get(name) if word.startswith("-") else next(free, None)
        if one is None or (one.is_flag and has_value and word.startswith("-")):
            raise _NotPlainError
        if one.is_many:
            known = found.get(one.name)
            found[one.name] = [*known, word] if isinstance(known, list) else [word]
            continue
        if one.name in found:
            raise _NotPlainError
        if not word.startswith("-"):
            found[one.name] = word
        elif one.is_flag:
            found[one.name] = True
        else:
            found[one.name] = value if has_value else next(words, "-")
        if str(found[one.name]).startswith("-"):
            raise _NotPlainError
    return found


def _values(declared: Sequence[_Declared], found: Mapping[str, str | bool | list[str]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in declared:
        given = found.get(one.name)
        if given is None and one.default is inspect.Parameter.empty:
            raise _NotPlainError
        values[one.name] = one.checked(one.default if given is None else _converted(one, given))
    return values


def _converted(one: _Declared, given: str | bool | list[str]) -> object:
    if isinstance(given, list):
        return [one.value_of(text) for text in given]
    return given if isinstance(given, bool) else one.value_of(given)
