"""Every error that the core raises, in one tree.

ZMQRuntimeError
├── ConfigurationError     a setting of ours that cannot work; names the setting and the remedy
├── ClosedError            a client or server was used after ``close()``
├── MessageError           bytes that are not a message of the protocol
│   └── UnsendableError    a value that cannot be sent or kept: too long, too deep, not text (also a ``ValueError``)
├── ConnectionFailedError
│   ├── ServerStartError   the server that we started did not answer; carries the tail of its log
│   ├── PortInUseError     the port is held by something that is not our server
│   ├── ServerSilentError  a server of ours holds the port, and does not answer
│   ├── WrongServerError   the server there is not the one that the client names
│   │   └── OutdatedServerError  it runs an earlier state of the client's code
│   └── ServerLostError    a server that did answer has ended, or cannot be reached any more
├── RequestTimeoutError    no reply before the deadline (also a ``TimeoutError``)
└── RequestRefusedError    the server answered with an error; carries its code
"""

from zmqruntime.base_messages import ErrorCode

__all__ = [
    "ClosedError",
    "ConfigurationError",
    "ConnectionFailedError",
    "MessageError",
    "OutdatedServerError",
    "PortInUseError",
    "RequestRefusedError",
    "RequestTimeoutError",
    "ServerLostError",
    "ServerSilentError",
    "ServerStartError",
    "UnsendableError",
    "WrongServerError",
    "ZMQRuntimeError",
]


class ZMQRuntimeError(Exception):
    """Base of all errors of ``zmqruntime``."""


class ConfigurationError(ZMQRuntimeError):
    """A setting cannot work on this machine."""


class ClosedError(ZMQRuntimeError):
    """The object was closed and cannot be used again."""


class MessageError(ZMQRuntimeError):
    """The bytes are not a message of this protocol."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class UnsendableError(MessageError, ValueError):
    """A value of the caller's that cannot be sent or kept; the text says why, and what to do instead."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.INVALID, text)


class ConnectionFailedError(ZMQRuntimeError):
    """No server could be reached."""


class ServerStartError(ConnectionFailedError):
    """A server was started but ended, or stayed silent, before it answered."""

    def __init__(self, text: str, log_tail: str = "") -> None:
        super().__init__(f"{text}\n--- end of its log ---\n{log_tail}" if log_tail else text)
        self.log_tail = log_tail


class PortInUseError(ConnectionFailedError):
    """Another program, or another server, holds the port."""


class ServerSilentError(ConnectionFailedError):
    """A server of ours holds the port but did not answer in time: it is busy or stopped, and may go on."""


class WrongServerError(ConnectionFailedError):
    """The server on the port is of another class, or of another environment, than the one that the client names."""


class OutdatedServerError(WrongServerError):
    """The server on the port runs its class as it was before its code was changed."""


class ServerLostError(ConnectionFailedError):
    """The server has ended and no other one took its place, or it cannot be reached.

    What it had accepted is not lost: the next server on that port knows it.
    """


class RequestTimeoutError(ZMQRuntimeError, TimeoutError):
    """The server did not reply in time; the request may or may not have been carried out."""


class RequestRefusedError(ZMQRuntimeError):
    """The server replied with an error."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code
