"""Arguments compared with the type hints of a function, where it is submitted.

Only what a hint says for certain is checked: a hint that cannot be evaluated, a protocol or a type variable accepts
everything, and a parameter takes its own default. As for type checkers (typing.python.org, "Special cases for float
and complex"), an integer is a float.
"""

import collections.abc
import inspect
import numbers
import types
import typing
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, Union

__all__ = ["Check", "checks_of"]

Check = Callable[[Any], str | None]
"""Returns what the argument must be, and is instead; None if it may be what it is."""

_Test = Callable[[Any], bool]
_NUMBERS: dict[Any, type] = {int: numbers.Integral, float: numbers.Real, complex: numbers.Complex}
_COMPARED = frozenset({bool, int, float, str, bytes})
_SEQUENCES = (list, set, frozenset, collections.abc.Sequence, collections.abc.Set, collections.abc.MutableSequence)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def checks_of(fn: Callable[..., Any], signature: inspect.Signature) -> dict[str, Check]:
    """Return the checks of the parameters that have a hint."""
    try:
        hints = typing.get_type_hints(inspect.unwrap(fn), include_extras=False)
    except Exception:  # noqa: BLE001 - evaluating a hint can raise anything
        return {}
    found: dict[str, Check] = {}
    for name, parameter in signature.parameters.items():
        test = _test_of(hints[name]) if name in hints else None
        if test is not None:
            found[name] = _check_of(parameter, test, hints[name])
    return found


def _check_of(parameter: inspect.Parameter, test: _Test, hint: Any) -> Check:
    wanted = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")

    def of_one(value: Any) -> str | None:
        return None if test(value) or _is_default(value, parameter.default) else f"{wanted}, not {_in_words(value)}"

    def of_all(values: Iterable[Any]) -> str | None:
        return next(filter(None, map(of_one, values)), None)

    match parameter.kind:
        case inspect.Parameter.VAR_POSITIONAL:
            return of_all
        case inspect.Parameter.VAR_KEYWORD:
            return lambda given: of_all(given.values())
        case _:
            return of_one


def _is_default(value: Any, default: Any) -> bool:
    """Return whether it is what the parameter has by itself, which is allowed whatever the hint says."""
    return value is default or (type(value) in _COMPARED and type(value) is type(default) and bool(value == default))


def _in_words(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} ({text if len(text) <= 60 else text[:57] + '...'})"


def _test_of(hint: Any) -> _Test | None:
    """Return the test for a hint; None if it accepts everything."""
    if hint is None or hint is type(None):
        return lambda value: value is None
    if isinstance(hint, typing.NewType):
        return _test_of(hint.__supertype__)
    if hint in _NUMBERS:
        wanted = _NUMBERS[hint]
        return lambda value: isinstance(value, wanted)
    origin = typing.get_origin(hint)
    if origin is not None:
        return _generic_test(origin, typing.get_args(hint))
    if not isinstance(hint, type) or typing.is_typeddict(hint):
        return None
    return _instance_test(hint)


def _instance_test(cls: type) -> _Test | None:
    if getattr(cls, "_is_protocol", False) or cls is object:
        return None
    try:
        isinstance(None, cls)
    except TypeError:
        return None
    return lambda value: isinstance(value, cls)


def _generic_test(origin: Any, args: tuple[Any, ...]) -> _Test | None:
    if origin is Annotated:
        return _test_of(args[0])
    if origin is Literal:
        return lambda value: any(value == each and type(value) is type(each) for each in args)
    if origin in (Union, types.UnionType):
        tests = [_test_of(each) for each in args]
        if None in tests:
            return None
        return lambda value: any(test(value) for test in tests if test is not None)
    outer = _instance_test(origin) if isinstance(origin, type) else None
    if outer is None:
        return None
    if origin is tuple:
        return _tuple_test(args)
    if origin in _SEQUENCES:
        return _with_elements(outer, _test_of(args[0]), lambda value: value)
    if origin in _MAPPINGS:
        return _with_elements(
            _with_elements(outer, _test_of(args[0]), lambda value: value),
            _test_of(args[1]),
            lambda value: value.values(),
        )
    return outer


def _with_elements(outer: _Test, inner: _Test | None, elements: Callable[[Any], Iterable[Any]]) -> _Test:
    if inner is None:
        return outer
    return lambda value: outer(value) and all(map(inner, elements(value)))


def _tuple_test(args: tuple[Any, ...]) -> _Test:
    tests = [_test_of(each) for each in args if each is not Ellipsis]
    if Ellipsis in args:
        return _with_elements(lambda value: isinstance(value, tuple), tests[0], lambda value: value)
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(tests)
        and all(test is None or test(each) for test, each in zip(tests, value, strict=True))
    )
