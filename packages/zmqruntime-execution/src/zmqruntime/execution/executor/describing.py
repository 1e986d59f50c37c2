"""Messages by which an executor learns how the server that it has found was started."""

from typing import ClassVar

import msgspec

from zmqruntime.messages import Message
from zmqruntime.vocabulary import Vocabulary

__all__ = ["FUNCTIONS_CLIENT", "FUNCTIONS_SERVER", "DescribeRequest", "DescribeResponse"]


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


FUNCTIONS_SERVER = FUNCTIONS_CLIENT = Vocabulary(requests=(DescribeRequest,), replies=(DescribeResponse,))
"""What these servers and their clients speak in addition to the messages about executions."""
