"""From a function and its arguments to a call: the arguments are checked where the function is submitted."""

import contextlib
import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from zmqruntime.exceptions import UnsendableError
from zmqruntime.execution.executor.calls import Call, code_digest
from zmqruntime.execution.executor.functions import NotImportableError, file_of, reference_of
from zmqruntime.execution.executor.hints import Check, checks_of
from zmqruntime.execution.executor.values import Pickler, Values
from zmqruntime.execution.scripts import end_load
from zmqruntime.execution.text import plural

__all__ = ["CallMaker", "name_of"]

_NAME_LIMIT = 200
_REMEDY = "move it to the top of a module, or send it by value with Executor(..., allow_pickle=True)"


@dataclass(frozen=True, slots=True)
class _Target:
    """What is the same for each call of a function."""

    name: str
    reference: str
    file: str
    code: str
    pickled: bytes | None
    signature: inspect.Signature | None
    checks: dict[str, Check]
    fitting: range
    """How many positional arguments alone fit, whatever they are; empty if that needs a closer look."""

    def parameter(self, place: int) -> str:
        """Return the name of a positional parameter."""
        names = [] if self.signature is None else list(self.signature.parameters)
        return names[min(place, len(names) - 1)] if names else str(place + 1)


class CallMaker:
    """Makes the calls of an executor.

    Args:
        pickler: Sends functions and arguments by value; None to refuse those that need it.
    """

    def __init__(self, pickler: Pickler | None) -> None:
        self._pickler = pickler
        self._values = Values(pickler)
        self._targets: weakref.WeakKeyDictionary[Callable[..., Any], _Target] = weakref.WeakKeyDictionary()

    def call(self, fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Call:
        """Return the call of a function.

        Raises:
            TypeError: The function cannot be called with these arguments, or cannot be imported by another process.
            UnsendableError: An argument cannot be sent.
        """
        fn, args, kwargs = _unwrapped(fn, tuple(args), kwargs)
        target = self.target(fn)
        args, kwargs = _bound(target, args, kwargs)
        return Call(
            function=target.reference,
            file=target.file,
            code=target.code,
            pickled=target.pickled,
            args=[self._wire(target, place, each) for place, each in enumerate(args)],
            kwargs={key: self._wire(target, key, each) for key, each in kwargs.items()},
        )

    def many(self, calls: Sequence[Call]) -> Call:
        """Return one call that makes all these calls of one function, one after the other."""
        first = calls[0]
        return Call(
            function=first.function,
            file=first.file,
            code=first.code,
            pickled=first.pickled,
            args=[call.args for call in calls],
            kwargs=first.kwargs,
            is_many=True,
        )

    def _wire(self, target: _Target, which: int | str, value: Any) -> Any:
        try:
            return self._values.to_wire(value)
        except UnsendableError as error:
            name = which if isinstance(which, str) else target.parameter(which)
            raise UnsendableError(f"argument {name!r} of {target.name}(): {error}") from error.__cause__

    def target(self, fn: Callable[..., Any]) -> _Target:
        """Return what is known of a function, found out once."""
        known = self._known(fn)
        if known is None:
            known = self._find(fn)
            with contextlib.suppress(TypeError):
                self._targets[fn] = known
        return known

    def _known(self, fn: Callable[..., Any]) -> _Target | None:
        try:
            return self._targets.get(fn)
        except TypeError:  # cannot be referred to weakly, or not hashable
            return None

    def _find(self, fn: Callable[..., Any]) -> _Target:
        _check_kind(fn)
        reference, pickled = self._reference(fn)
        file = "" if pickled is not None else _source_of(fn, reference)
        signature = _signature_of(fn)
        checks = {} if signature is None else checks_of(fn, signature)
        return _Target(
            name=name_of(fn),
            reference=reference,
            file=file,
            code=code_digest(file),
            pickled=pickled,
            signature=signature,
            checks=checks,
            fitting=range(0) if signature is None or checks else _fitting(signature),
        )

    def _reference(self, fn: Callable[..., Any]) -> tuple[str, bytes | None]:
        end_load()
        try:
            reference = reference_of(fn)
        except NotImportableError as error:
            if self._pickler is None:
                raise NotImportableError(f"{name_of(fn)} cannot be submitted: {error}; {_REMEDY}") from None
            return "", self._pickler.dumps(fn)
        return reference, None


def name_of(fn: Callable[..., Any]) -> str:
    """Return the name of a function, for people."""
    name = getattr(fn, "__qualname__", None) or getattr(fn, "__name__", None) or type(fn).__qualname__
    return str(name)[:_NAME_LIMIT]


def _unwrapped(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """Take a partial function apart."""
    while isinstance(fn, functools.partial):
        args, kwargs, fn = (*fn.args, *args), {**fn.keywords, **kwargs}, fn.func
    return fn, args, kwargs


def _check_kind(fn: Callable[..., Any]) -> None:
    if not callable(fn):
        raise TypeError(f"{fn!r} is not a function")
    plain = inspect.unwrap(fn) if hasattr(fn, "__wrapped__") else fn
    if inspect.iscoroutinefunction(plain) or inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise TypeError(
            f"{name_of(fn)} is a coroutine or generator function, whose result cannot be sent: submit a function that "
            "runs it, for example with asyncio.run or list"
        )


def _source_of(fn: Callable[..., Any], reference: str) -> str:
    place = reference.rpartition(":")[0]
    return place if place.endswith(".py") else file_of(fn)


def _signature_of(fn: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(fn)
    except (ValueError, TypeError):  # some functions of C do not tell it
        return None


def _fitting(signature: inspect.Signature) -> range:
    """Return the numbers of positional arguments that fit, if there are only plain parameters."""
    parameters = signature.parameters.values()
    if any(each.kind > inspect.Parameter.POSITIONAL_OR_KEYWORD for each in parameters):
        return range(0)
    least = sum(each.default is inspect.Parameter.empty for each in parameters)
    return range(least, len(parameters) + 1)


def _bound(target: _Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Check the arguments; return those that could be given by position by position.

    Raises:
        TypeError: They do not fit the function.
    """
    if target.signature is None or (not kwargs and len(args) in target.fitting):
        return args, kwargs
    try:
        bound = target.signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{target.name}(){_in_words(str(error), target.signature, len(args))}") from None
    for name, check in target.checks.items():
        if name in bound.arguments:
            problem = check(bound.arguments[name])
            if problem is not None:
                raise TypeError(f"argument {name!r} of {target.name}() must be {problem}")
    return bound.args, bound.kwargs


def _in_words(problem: str, signature: inspect.Signature, given: int) -> str:
    """Return what ``Signature.bind`` says about arguments as the rest of a sentence about the function."""
    if problem.startswith("too many positional"):
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        most = sum(each.kind in kinds for each in signature.parameters.values())
        return f" takes {plural(most, 'positional argument')}, but got {given}"
    if problem.startswith("missing"):
        return f" is {problem}"
    if problem.startswith("multiple"):
        return f" got {problem}"
    return f" {problem}" if problem.startswith("got ") else f": {problem}"
