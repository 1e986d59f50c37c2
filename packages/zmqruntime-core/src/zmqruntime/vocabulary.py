"""The messages of a server and its clients, in addition to those that every server has."""

import reprlib
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
        ConfigurationError: something is not a message class, is named twice, or two types have the same tag, also that
            of a message of every server.
    """

    requests: MessageTypes = ()
    replies: MessageTypes = ()
    events: MessageTypes = ()

    def __post_init__(self) -> None:
        for kind, own in (("requests", self.requests), ("replies", self.replies), ("events", self.events)):
            object.__setattr__(self, kind, _checked(own, kind))

    @classmethod
    def of(cls, speaker: type) -> Self:
        """Return the complete vocabulary of a class, including its base classes.

        Args:
            speaker: a server or client class.

        Raises:
            ConfigurationError: it contains a type whose tag is already taken, or ``vocabulary`` is something else.
        """
        for each in speaker.__mro__:
            own = vars(each).get("vocabulary")
            if own is not None and not isinstance(own, cls):
                raise ConfigurationError(
                    f"the vocabulary of {each.__name__} is {_named(own)}: write Vocabulary(requests=(...))"
                )
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


def check_message(message: object) -> None:
    """Raise TypeError if a value that a caller wants to send is not a message."""
    if isinstance(message, type) and issubclass(message, Message):
        raise TypeError(f"{message.__name__} is a message class, not a message: write {message.__name__}(...)")
    if not isinstance(message, Message):
        raise TypeError(f"{_named(message)} is not a message: send an object of a subclass of zmqruntime.Message")


def check_message_class(found: object, name: str) -> None:
    """Raise TypeError if the argument ``name`` of a caller is not a message class."""
    if not (isinstance(found, type) and issubclass(found, Message)):
        raise TypeError(f"{name} is a message class, not {_named(found)}: write the class of the reply")


def check_topic(topic: object) -> None:
    """Raise TypeError if a caller's topic is not bytes."""
    if not isinstance(topic, bytes):
        raise TypeError(f"a topic is bytes, not {_named(topic)}: write b'...', or call topic.encode()")


def _checked(types: object, kind: str) -> MessageTypes:
    """Return the types of one kind as a tuple. Raises ConfigurationError if they cannot be a part of a vocabulary."""
    if not isinstance(types, tuple | list):
        name = getattr(types, "__name__", "...")
        raise ConfigurationError(f"{kind} of a Vocabulary are {_named(types)}: write a tuple, {kind}=({name},)")
    for each in types:
        if not (isinstance(each, type) and issubclass(each, Message)):
            raise ConfigurationError(
                f"{kind} of a Vocabulary contain {_named(each)}: write message classes, as in class Name(Message, "
                'frozen=True, tag="name")'
            )
        if each is Message:
            raise ConfigurationError(
                f"{kind} of a Vocabulary contain Message itself, the base class of all messages: write your subclasses"
            )
        if types.count(each) > 1:
            raise ConfigurationError(f"{kind} of a Vocabulary contain {each.__name__} twice: write it once")
    _check_tags((*_every(kind), *types))
    return tuple(types)


def _every(kind: str) -> MessageTypes:
    """Return the messages of every server."""
    return dict(zip(("requests", "replies", "events"), _EVERY, strict=True))[kind]


def _check_tags(types: MessageTypes) -> None:
    tags: dict[object, type[Message]] = {}
    for each in types:
        tag = each.__struct_config__.tag
        other = tags.setdefault(tag, each)
        if other is not each:
            raise ConfigurationError(
                f"{other.__name__} and {each.__name__} are both called {tag!r} on the wire; "
                f'give one of them another name: class {each.__name__}(Message, tag="...")'
            )


def _named(found: object) -> str:
    """Return how an error calls a wrong argument."""
    return f"the class {found.__name__}" if isinstance(found, type) else reprlib.repr(found)


def _distinct(types: Iterable[type[Message]]) -> MessageTypes:
    return tuple(dict.fromkeys(types))


def union_of(types: MessageTypes) -> object:
    """Return the union of message types, for a decoder."""
    return Union[types]  # noqa: UP007 - the types are only known at run time
