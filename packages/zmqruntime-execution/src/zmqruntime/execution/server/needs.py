"""What an execution needs before it may start, as it is kept with its record."""

from typing import Any, Self

import msgspec

from zmqruntime.messages import Concurrency, ExecuteRequest, Rate, Resources, SubmissionId

__all__ = ["NO_NEEDS", "Needs", "needs_of"]


class Needs(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """The fields of a submission that few submissions use; see :class:`zmqruntime.messages.ExecuteRequest`."""

    after: list[SubmissionId] = msgspec.field(default_factory=list)
    resources: Resources = msgspec.field(default_factory=dict)
    concurrency: Concurrency | None = None
    rate: Rate | None = None
    trace: str = ""

    @classmethod
    def read(cls, data: object) -> Self:
        """Return the needs that were encoded.

        Raises:
            msgspec.ValidationError: They are damaged.
        """
        try:
            return msgspec.msgpack.decode(data if isinstance(data, bytes) else b"", type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise msgspec.ValidationError(f"what it needs cannot be read: {error}") from error

    def fields(self) -> dict[str, Any]:
        """Return the fields for a submission."""
        return msgspec.structs.asdict(self)


NO_NEEDS = Needs()
"""Needs of a plain execution, one object for all of them."""


def needs_of(request: ExecuteRequest) -> Needs:
    """Return what a submission needs."""
    if not (request.after or request.resources or request.concurrency or request.rate or request.trace):
        return NO_NEEDS
    return Needs(**{name: getattr(request, name) for name in Needs.__struct_fields__})
