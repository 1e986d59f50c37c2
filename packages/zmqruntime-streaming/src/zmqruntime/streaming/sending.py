"""``send(array, port)``: one call, for scripts; the connections behind it stay open until the program ends."""

import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from zmqruntime.config import ZMQConfig
from zmqruntime.streaming.checks import checked_port, checked_seconds
from zmqruntime.streaming.exceptions import StreamingError
from zmqruntime.streaming.sender import Sender
from zmqruntime.streaming.wire import ViewerPort

__all__ = ["flush", "send"]

_MOST: Final = 16
_TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Destination:
    """Everything that a connection depends on; a forked process needs its own."""

    port: int
    host: str | None
    name: str | None
    latest: bool
    config: ZMQConfig | None
    pid: int


class _OpenSenders:
    """The senders of this process, of which the one not used for longest is closed when there are too many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._senders: OrderedDict[_Destination, Sender] = OrderedDict()

    def get(self, to: _Destination) -> Sender:
        """Return the sender to a destination, opened if necessary."""
        surplus = None
        with self._lock:
            sender = self._senders.pop(to, None)
            if sender is None or sender.is_closed:
                sender = Sender(to.port, host=to.host, name=to.name, latest=to.latest, config=to.config)
            self._senders[to] = sender
            if len(self._senders) > _MOST:
                _, surplus = self._senders.popitem(last=False)
        if surplus is not None:
            surplus.close()
        return sender

    def of_this_process(self) -> list[Sender]:
        """Return the senders that are open here."""
        with self._lock:
            pid = os.getpid()
            return [sender for to, sender in self._senders.items() if to.pid == pid and not sender.is_closed]


_open_senders: Final = _OpenSenders()  # as with logging's handlers: one of each destination in the whole process


def send(
    array: Any,
    /,
    port: int = ViewerPort.ARRAYS,
    *,
    host: str | None = None,
    name: str | None = None,
    latest: bool = False,
    timeout: float = _TIMEOUT,
    config: ZMQConfig | None = None,
    **meta: Any,
) -> None:
    """Send an array to the program that runs ``for array, meta in receive(port)``.

    It waits for that program to be there. The connection stays open for further calls until the process ends, which
    waits until everything was delivered. If that does not succeed, the program says so on its standard error, but
    Python does not let it change its exit status any more: end it with :func:`flush`. A :class:`Sender` has more
    options, and you decide when it is closed.

    Args:
        array: an array of NumPy, or of any library that has ``__dlpack__``: PyTorch, CuPy, JAX ...
        port: port of the receiver.
        host: host of a receiver on another machine.
        name: name of this sender [default: host name and process id].
        latest: whether to drop arrays for newer ones rather than wait; then a receiver need not be there, either.
        timeout: seconds to wait for a receiver.
        config: configuration shared by receiver and senders.
        **meta: what to say about it: None, booleans, numbers, text, bytes, and lists and dicts of those.

    Raises:
        StreamTimeoutError: there is no receiver, or it did not make room in time.
        StreamingError: any other error of :meth:`Sender.send`.
    """
    sender = _open_senders.get(_Destination(checked_port(port, config), host, name, latest, config, os.getpid()))
    if not latest and not sender.is_connected:
        sender.wait_connected(timeout)
    sender.send(array, **meta)


def flush(timeout: float = _TIMEOUT) -> None:
    """Wait until receivers have taken everything that was sent with :func:`send`: the last line of a script.

    Args:
        timeout: seconds to wait.

    Raises:
        StreamTimeoutError: receivers have not confirmed that in time. What is missing may still be delivered.
        StreamingError: a receiver could not read some arrays.
    """
    deadline = time.monotonic() + checked_seconds(timeout)
    problems = [problem for sender in _open_senders.of_this_process() if (problem := _rest_of(sender, deadline))]
    if problems:
        first, *others = problems
        for other in others:
            first.add_note(str(other))
        raise first


def _rest_of(sender: Sender, deadline: float) -> StreamingError | None:
    try:
        sender.flush(max(0.0, deadline - time.monotonic()))
        sender.check_failed()
    except StreamingError as error:
        return error
    return None
