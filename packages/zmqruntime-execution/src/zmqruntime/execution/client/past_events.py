"""The events of an execution so far, without waiting for more."""

from zmqruntime.client import ZMQClient
from zmqruntime.execution.events.event_batches import Reader
from zmqruntime.messages import Event, EventsRequest, EventsResponse

__all__ = ["past_events"]


def past_events(client: ZMQClient, execution_id: str) -> list[Event]:
    """Return the events that the server has of an execution.

    Raises:
        RequestRefusedError: The server has no such execution.
        RequestTimeoutError: It did not answer in time.
    """
    reader: Reader = Reader()
    found: list[Event] = []
    while True:
        response = client.request(EventsRequest(execution_id=execution_id, after=reader.position), EventsResponse)
        for batch in response.batches:
            found += reader.read(batch)
        reader.note(response.upto)
        if not response.batches or not reader.is_behind:
            return found
