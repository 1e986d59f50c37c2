"""Messages between executors and their servers, in addition to those about executions."""

from typing import Annotated, ClassVar

import msgspec

from zmqruntime.environment import TaskEnvironment
from zmqruntime.messages import ExecuteRequest, Message, PackedExecuteRequest
from zmqruntime.vocabulary import Vocabulary

__all__ = [
    "FUNCTIONS_CLIENT",
    "FUNCTIONS_SERVER",
    "CallsRequest",
    "DescribeRequest",
    "DescribeResponse",
    "PackedCallsRequest",
]


class DescribeRequest(Message, frozen=True, kw_only=True, tag="describe_functions"):
    """Ask a server of functions for its options."""

    may_repeat: ClassVar[bool] = True


class DescribeResponse(Message, frozen=True, kw_only=True, tag="functions"):
    """The options of a server of functions.

    Attributes:
        name: Name of the executor.
        max_workers: How many functions it runs at the same time.
        allow_pickle: Whether it runs pickled functions.
        resources: What it shares out among them.
    """

    name: str
    max_workers: int
    allow_pickle: bool
    resources: dict[str, float] = msgspec.field(default_factory=dict)


class CallsRequest(Message, frozen=True, kw_only=True, tag="calls"):
    """Submit several executions that share an environment, of which either all or none are accepted.

    Attributes:
        requests: The submissions, each without an environment of its own.
        environment: Environment of all of them; None for the server's own.
    """

    may_repeat: ClassVar[bool] = True

    requests: Annotated[list[ExecuteRequest], msgspec.Meta(min_length=1, max_length=10_000)]
    environment: TaskEnvironment | None = None


class PackedCallsRequest(CallsRequest, frozen=True, kw_only=True, tag="calls"):
    """A ``CallsRequest`` as decoded by a server."""

    requests: Annotated[list[PackedExecuteRequest], msgspec.Meta(min_length=1, max_length=10_000)]  # type: ignore[assignment]


FUNCTIONS_CLIENT = Vocabulary(requests=(DescribeRequest, CallsRequest), replies=(DescribeResponse,))
"""What a client of a server of functions speaks."""

FUNCTIONS_SERVER = Vocabulary(requests=(DescribeRequest, PackedCallsRequest), replies=(DescribeResponse,))
"""The same for the server, in which payloads stay encoded."""
