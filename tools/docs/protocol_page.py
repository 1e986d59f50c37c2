"""Writes docs/protocol.md from the message types, so that the page cannot say anything else than the code.

python tools/docs/protocol_page.py            write the page
python tools/docs/protocol_page.py --check    exit 1 if it is not as it would be written
"""

import enum
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec

from zmqruntime import base_messages, execution_messages, messages, viewer_messages
from zmqruntime.environment import TaskEnvironment
from zmqruntime.execution_needs import Concurrency, QueueState, Rate, Schedule
from zmqruntime.messages import PROTOCOL_VERSION, Message
from zmqruntime.streaming import wire

PAGE = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"

INTRODUCTION = f"""# The wire protocol

Version {PROTOCOL_VERSION}. This page is written by `tools/docs/protocol_page.py` from the types in
`zmqruntime.messages` and `zmqruntime.streaming.wire`. [How the messages fit together](explain-wire-protocol.md)
explains the idea, and [clients in JavaScript and C++](howto-other-language.md) show it in use.

A server has two channels. **Control** is a ROUTER socket on port P + 1000: send a request from any REQ or DEALER
socket, and exactly one reply comes back, even to a malformed request. From a DEALER, put an empty frame before the
message, and before that any frames that should be returned with the reply. **Data** is an XPUB socket on port P:
subscribe to the id of an execution, or to `heartbeat`; each message has two frames, the topic and the message. On a
viewer it is a ROUTER instead, to which producers of images connect.

Addresses are `ipc://~/.<app name>/ipc/zmq-<port>.sock`, or TCP with CURVE, for which keys must be exchanged first.

A message is one msgpack map. `type` names it and `protocol` is the version [default: {PROTOCOL_VERSION}]. An
unknown key, a missing key without a default, or a wrong type makes the whole message invalid: the reply is an `error`.

A client chooses the id of an execution (`submission_id`) and subscribes to it before it submits, so it misses nothing.
Events of an execution are numbered from 1: a batch holds those after `after` up to `upto`. A client that has seen
fewer than `after` requests the rest with `events`. A batch may hold fewer events than numbers, if progress that later
progress had superseded was merged.
"""

SECTIONS = (
    ("Requests", messages.Request),
    ("Replies", messages.Response),
    ("Data", messages.DataMessage),
    ("Events", messages.Event),
    ("Viewers: from the producer", wire.FromProducer),
    ("Viewers: from the viewer", wire.FromViewer),
    ("Viewers: what is delivered", wire.Content),
    ("Viewers: what became of it", messages.ImageAck),
)

VALUES = (
    messages.ExecutionSnapshot,
    TaskEnvironment,
    Concurrency,
    Rate,
    QueueState,
    Schedule,
    messages.Shape,
    wire.SegmentRef,
    wire.SegmentProbe,
)

VIEWERS = """Between a producer and the ROUTER of a viewer each message is one frame, without an empty frame before it.
A connection begins with `stream_hello` and `stream_welcome`. A delivery with an array has one or two parts more: the
header of the array, then its elements, in several frames where they are longer than a message may be; without elements
they are in the segment of shared memory that the delivery names. [Array frames](architecture.md#array-frames) describes
both. `window` deliveries may be under way at once; each number in `done` makes room for one more.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for title, union in SECTIONS:
        parts.append(f"## {title}\n")
        if union is wire.FromProducer:
            parts.append(VIEWERS)
        parts += [describe(found) for found in typing.get_args(union) or (union,)]
    parts.append("## Values in messages\n")
    parts += [describe(found) for found in VALUES]
    parts += [describe_enum(found) for found in enums()]
    return "\n".join(parts)


def describe(struct: type[msgspec.Struct]) -> str:
    """A message type: its tag, what it is for, and its fields."""
    tag = struct.__struct_config__.tag
    title = f"`{tag}`" if tag else struct.__name__
    rows = [
        f"| `{field.name}` | {name_of(field.type)} | {default_of(field)} |"
        for field in msgspec.structs.fields(struct)
        if field.name != "protocol"
    ]
    table = ["| field | type | default |", "|---|---|---|", *rows, ""] if rows else []
    return "\n".join([f"### {title}\n", f"{said(struct)}\n", *table])


def describe_enum(found: type[enum.StrEnum]) -> str:
    """The values of an enumeration."""
    values = ", ".join(f"`{member.value}`" for member in found)
    return f"### {found.__name__}\n\n{said(found)}\n\nOne of {values}.\n"


def enums() -> Iterator[type[enum.StrEnum]]:
    """The enumerations of the protocol, in their order."""
    for module in (execution_messages, base_messages, viewer_messages, wire):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, enum.StrEnum) and value.__module__ == module.__name__:
                yield value


def said(found: type) -> str:
    """The docstring as Markdown."""
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", inspect.getdoc(found) or "").replace("``", "`")


def name_of(kind: object) -> str:
    """A type in the words of msgpack."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        bounds = ", ".join(
            f"{name} {value}"
            for name, value in (("at least", arguments[1].ge), ("at most", arguments[1].le), ("over", arguments[1].gt))
            if value is not None
        )
        return f"{name_of(arguments[0])}{f' ({bounds})' if bounds else ''}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(name_of(argument) for argument in arguments)
    if origin is list:
        return f"list of {name_of(arguments[0])}"
    if origin is dict:
        return f"map of {name_of(arguments[1])}"
    plain = {str: "string", int: "integer", float: "number", bool: "boolean", bytes: "binary", type(None): "nil"}
    if isinstance(kind, type) and kind in plain:
        return plain[kind]
    if isinstance(kind, type) and issubclass(kind, Message):
        return f"`{kind.__struct_config__.tag}`"
    return kind.__name__ if isinstance(kind, type) else "anything"


def default_of(field: msgspec.structs.FieldInfo) -> str:
    """The default in the words of the table, empty for a field that must be there."""
    if field.default is not msgspec.NODEFAULT:
        value = str(field.default) if isinstance(field.default, enum.StrEnum) else field.default
        return "nil" if value is None else f"`{value!r}`".replace("'", '"')
    return "empty" if field.default_factory is not msgspec.NODEFAULT else ""


def main() -> int:
    """Write or check the page."""
    text = page()
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
