"""Messages that every server and client understand, and the base class of all messages.

A message is one msgpack map. ``type`` names it, ``protocol`` is the version of the protocol, and the other keys
are its fields; an unknown key, a missing key or a wrong type makes the whole message invalid.
"""

import enum
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import msgspec
from msgspec import Meta

from zmqruntime.compat import Mapped

__all__ = [
    "HEARTBEAT_TOPIC",
    "PROTOCOL_VERSION",
    "Count",
    "ErrorCode",
    "ErrorResponse",
    "Farewell",
    "Heartbeat",
    "Message",
    "OkResponse",
    "Percent",
    "PingRequest",
    "PongResponse",
    "PositiveSeconds",
    "Seconds",
    "Sequence",
    "ServerCode",
    "ShutdownRequest",
]

PROTOCOL_VERSION = 1


class ErrorCode(enum.StrEnum):
    """Why a server refused a request."""

    INVALID = "invalid"
    """The bytes are not a message of the protocol."""
    PROTOCOL = "protocol"
    """The message has a different protocol version."""
    UNSUPPORTED = "unsupported"
    """This server does not know the request."""
    NOT_FOUND = "not_found"
    """The request names an execution that this server does not have."""
    QUEUE_FULL = "queue_full"
    """The queue of the server is full; submit again later."""
    CONFLICT = "conflict"
    """The status of the execution does not allow this."""
    STORAGE = "storage"
    """The server could not write the request to disk, so it was not accepted."""
    TOO_LARGE = "too_large"
    """The reply would exceed the maximum message size; ask for less."""
    UNREAD = "unread"
    """This client did not read earlier replies; they took up too much memory and were dropped."""
    CLOSING = "closing"
    """The server is shutting down."""
    INTERNAL = "internal"
    """The server has a bug; its log has the traceback."""


Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Seconds = Annotated[float, Meta(ge=0)]
PositiveSeconds = Annotated[float, Meta(gt=0)]


class Message(Mapped, msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """Base class of all messages; can also be read like a mapping (``message["status"]``, ``dict(message)``)."""

    may_repeat: ClassVar[bool] = False
    """For requests: whether repeating it has no further effect, so that it may be sent again if the connection or the
    server is lost before the reply."""

    is_short: ClassVar[bool] = False
    """For replies: whether it is always short, so that a server does not have to check its length."""

    protocol: int = PROTOCOL_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return the message as plain dicts, lists, strings and numbers, including ``type``.

        Bytes, and values of functions that MessagePack has no notation for, stay as they are.
        """
        plain: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(bytes, msgspec.msgpack.Ext))
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Create a message from the output of :meth:`to_dict`.

        Raises:
            msgspec.ValidationError: a field is missing, unknown or of the wrong type.
        """
        return msgspec.convert(plain, cls)


# --- data channel: frames [topic, message] ------------------------------------------------------------------------


HEARTBEAT_TOPIC = b"heartbeat"


class Heartbeat(Message, frozen=True, kw_only=True, tag="heartbeat"):
    """A sign of life from the server, sent every ``interval`` seconds on topic ``heartbeat`` while it has subscribers.

    ``positions`` gives the number of events of each execution that changed recently.
    """

    instance_id: str
    interval: Seconds
    positions: dict[str, int] = {}


class Farewell(Message, frozen=True, kw_only=True, tag="farewell"):
    """The last message of a server that was asked to shut down, on topic ``heartbeat``.

    Clients then do not start its successor automatically. A server that is killed sends nothing.
    """

    instance_id: str


# --- control channel ---------------------------------------------------------------------------------------------


class PingRequest(Message, frozen=True, kw_only=True, tag="ping"):
    """Ask whether a server is running, and which one."""


class ShutdownRequest(Message, frozen=True, kw_only=True, tag="shutdown"):
    """Shut down the server process; running executions are interrupted, queued ones wait for the next server."""


class ServerCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code that a server is running.

    Attributes:
        target: ``module:Class``, or ``file.py:Class`` for a class in a script.
        file: path of its source.
        bases: the classes that it derives from, with their files.
        digest: digest of the source when the server was started.
        environment: folder of its Python environment.
    """

    target: str
    file: str
    bases: dict[str, str]
    digest: str
    environment: str


class PongResponse(Message, frozen=True, kw_only=True, tag="pong"):
    """The identity of the server: ``pid`` and ``process_start`` identify its process, ``instance_id`` this run of it.

    ``lifetime`` is ``persistent`` or ``owned`` if a client started the server, otherwise empty.
    """

    is_short: ClassVar[bool] = True

    instance_id: str
    pid: int
    process_start: float
    server: str
    version: str
    app_name: str
    port: int
    code: ServerCode | None = None
    lifetime: str = ""


class OkResponse(Message, frozen=True, kw_only=True, tag="ok"):
    """The request was carried out; ``message`` says what was done."""

    message: str = ""


class ErrorResponse(Message, frozen=True, kw_only=True, tag="error"):
    """The request was not carried out."""

    code: ErrorCode
    message: str
