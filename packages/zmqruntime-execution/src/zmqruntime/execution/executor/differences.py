"""What the call of a key is and how another one differs, in words for the error message."""

from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution.executor.calls import Call
from zmqruntime.execution.executor.values import Values

__all__ = ["key_used_text"]

_LONGEST = 120
_LONGEST_VALUE = 200


def key_used_text(key: str, known: Call, call: Call, names: tuple[str, str]) -> str:
    """Return the message that a key belongs to another call.

    Args:
        key: The key.
        known: The call that has it.
        call: The call that was to have it.
        names: Names of the functions of both, for people.
    """
    is_other = (known.function, known.pickled) != (call.function, call.pickled)
    if is_other and names[0] == names[1] and known.function != call.function:
        names = (known.function or f"the pickled {names[0]}", call.function or f"the pickled {names[1]}")
    first, second = (_in_words(each, name) for each, name in ((known, names[0]), (call, names[1])))
    return (
        f"key {key!r} belongs to a call of {first}, which is not this call of {second}: "
        f"use another key{_detail(known, call, is_other=is_other)}"
    )


def _detail(known: Call, call: Call, *, is_other: bool) -> str:
    """Return what differs, where the two calls may look alike."""
    if is_other:
        has_same_reference = known.function == call.function
        return " (the functions differ in their code, or in values that they hold)" if has_same_reference else ""
    if known.is_many != call.is_many:
        return " (one of them is a chunk of several calls)"
    if known.stored is not None or call.stored is not None:
        return " (the arguments differ; they are too large to be shown)"
    return _argument_detail(known, call)


def _argument_detail(known: Call, call: Call) -> str:
    """Name the first argument that differs, as long as there are as many."""
    if len(known.args) != len(call.args) or known.kwargs.keys() != call.kwargs.keys():
        return ""
    pairs = [(f"argument {place}", *pair) for place, pair in enumerate(zip(known.args, call.args, strict=True), 1)]
    pairs += [(f"argument {name!r}", value, call.kwargs[name]) for name, value in known.kwargs.items()]
    for name, before, now in pairs:
        if before != now and _shown(before) != _shown(now):
            return f" ({name} was {_shown(before)} and is {_shown(now)})"
    return next((f" ({name} differs)" for name, before, now in pairs if before != now), "")


def _in_words(call: Call, name: str) -> str:
    if call.stored is not None:
        return f"{name}(arguments of {call.stored.length:,} bytes)"
    given = [_shown(each) for each in call.args] + [f"{key}={_shown(each)}" for key, each in call.kwargs.items()]
    text = ", ".join(given)
    return f"{name}({text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'})"


def _shown(wire: object) -> str:
    """Return a value as Python writes it, shortened in the middle; what cannot be restored here by its kind."""
    try:
        text = repr(Values().from_wire(wire))
    except (ImportError, AttributeError, ValueError, TypeError, ZMQRuntimeError):
        return "<a value that cannot be shown here>"
    text = " ".join(text.split())
    half = _LONGEST_VALUE // 2
    return text if len(text) <= _LONGEST_VALUE else f"{text[:half]}...{text[-half:]}"
