"""The messages of a server and its clients, in addition to those that every server has."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, Union

from zmqruntime.base_messages import (
    ErrorResponse,
    Farewell,
    Heartbeat,
    Message,
    OkResponse,
    PingRequest,
    PongResponse,
    ShutdownRequest,
)
from zmqruntime.exceptions import ConfigurationError

__all__ = ["Vocabulary"]

MessageTypes = tuple[type[Message], ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The message types of one kind of server, each with a unique tag.

    A server class and its client class set it as their attribute ``vocabulary``. The vocabularies of their base classes
    apply as well, and so do the messages of every server: ping and shutdown, their replies, heartbeats and errors.

    Args:
        requests: requests that a client may send.
        replies: replies of the server.
        events: events that the server publishes.

    Raises:
        ConfigurationError: two types have the same tag.
    """

    requests: MessageTypes = ()
    replies: MessageTypes = ()
    events: MessageTypes = ()

    def __post_init__(self) -> None:
        for types in (self.requests, self.replies, self.events):
            tags: dict[object, type[Message]] = {}
            for each in types:
                tag = each.__struct_config__.tag
                other = tags.setdefault(tag, each)
                if other is not each:
                    raise ConfigurationError(
                        f"{other.__name__} and {each.__name__} are both called {tag!r} on the wire; "
                        f'give one of them another name: class {each.__name__}(Message, tag="...")'
                    )

    @classmethod
    def of(cls, speaker: type) -> Self:
        """Return the complete vocabulary of a class, including its base classes.

        Args:
            speaker: a server or client class.

        Raises:
            ConfigurationError: it contains a type whose tag is already taken.
        """
        named = [vars(each).get("vocabulary") for each in speaker.__mro__]
        return cls(*_EVERY).joined(*(each for each in reversed(named) if isinstance(each, cls)))

    def joined(self, *others: Self) -> Self:
        """Return the messages of this vocabulary and of others.

        Raises:
            ConfigurationError: two different types have the same tag.
        """
        found = (self, *others)
        return type(self)(
            requests=_distinct(each for one in found for each in one.requests),
            replies=_distinct(each for one in found for each in one.replies),
            events=_distinct(each for one in found for each in one.events),
        )


_EVERY: tuple[MessageTypes, MessageTypes, MessageTypes] = (
    (PingRequest, ShutdownRequest),
    (PongResponse, OkResponse, ErrorResponse),
    (Heartbeat, Farewell),
)


def _distinct(types: Iterable[type[Message]]) -> MessageTypes:
    return tuple(dict.fromkeys(types))


def union_of(types: MessageTypes) -> object:
    """Return the union of message types, for a decoder."""
    return Union[types]  # noqa: UP007 - the types are only known at run time
