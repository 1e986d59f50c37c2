"""What every server and client say to each other, and the base class of all messages.

A message is one msgpack map. ``type`` names it, ``protocol`` is the version of this document, the other keys
are its fields; an unknown key, a missing one or a wrong type makes the whole message invalid.
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
    """The message is of another protocol version."""
    UNSUPPORTED = "unsupported"
    """This server does not know the request."""
    NOT_FOUND = "not_found"
    """The request names an execution that this server does not have."""
    QUEUE_FULL = "queue_full"
    """The server has as many queued executions as it may; submit again later."""
    CONFLICT = "conflict"
    """The execution is not in a status in which that can be done."""
    STORAGE = "storage"
    """The server could not write the request to disk, so it was not accepted."""
    TOO_LARGE = "too_large"
    """The reply would be longer than a message may be; ask for less."""
    UNREAD = "unread"
    """Replies to earlier requests of this client were not read, until they were too much to keep and were dropped."""
    CLOSING = "closing"
    """The server is about to end."""
    INTERNAL = "internal"
    """The server has a bug; its log has the traceback."""


Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Seconds = Annotated[float, Meta(ge=0)]
PositiveSeconds = Annotated[float, Meta(gt=0)]


class Message(Mapped, msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """Base of all messages; can also be read like a mapping (``message["status"]``, ``dict(message)``)."""

    may_repeat: ClassVar[bool] = False
    """Of a request: whether asking twice does no more than asking once, so that it may be sent again when the
    connection, or the server, was lost before it was answered."""

    is_short: ClassVar[bool] = False
    """Of a reply: whether it is never long, so that a server need not look how long it is."""

    protocol: int = PROTOCOL_VERSION

    def to_dict(self) -> dict[str, Any]:
        """The message as plain dicts, lists, strings and numbers, ``type`` included."""
        plain: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(bytes,))
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`.

        Raises:
            msgspec.ValidationError: a field is missing, unknown or of a wrong type.
        """
        return msgspec.convert(plain, cls)


# --- data channel: frames [topic, message] ------------------------------------------------------------------------


HEARTBEAT_TOPIC = b"heartbeat"


class Heartbeat(Message, frozen=True, kw_only=True, tag="heartbeat"):
    """The server lives; sent every ``interval`` seconds on topic ``heartbeat`` while anybody subscribes.

    ``positions`` says how many events each execution that changed lately has.
    """

    instance_id: str
    interval: Seconds
    positions: dict[str, int] = {}


class Farewell(Message, frozen=True, kw_only=True, tag="farewell"):
    """The server ends since somebody said so; sent last, on topic ``heartbeat``.

    Clients then leave it to others to start its successor. A server that is killed says nothing.
    """

    instance_id: str


# --- control channel ---------------------------------------------------------------------------------------------


class PingRequest(Message, frozen=True, kw_only=True, tag="ping"):
    """Is a server there, and which?"""


class ShutdownRequest(Message, frozen=True, kw_only=True, tag="shutdown"):
    """End the server process; what is running is interrupted, what is queued waits for the next."""


class ServerCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What code a server runs.

    ``target`` is ``module:Class``, or ``file.py:Class`` for a class of a script; ``file`` where its source is;
    ``bases`` has the classes that it derives from with their files; ``digest`` is of the source when the server
    started; ``environment`` is the folder of its Python environment.
    """

    target: str
    file: str
    bases: dict[str, str]
    digest: str
    environment: str


class PongResponse(Message, frozen=True, kw_only=True, tag="pong"):
    """Who the server is. ``pid`` with ``process_start`` identifies the process, ``instance_id`` this run of it.

    ``lifetime`` is ``persistent`` or ``owned`` when a client has started it, else empty.
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
    """Done; ``message`` says what."""

    message: str = ""


class ErrorResponse(Message, frozen=True, kw_only=True, tag="error"):
    """The request was not carried out."""

    code: ErrorCode
    message: str
