"""The exceptions of the core, as one hierarchy.

ZMQRuntimeError
├── ConfigurationError     a setting that cannot work; names the setting and the remedy
├── ClosedError            a client or server was used after ``close()``
├── MessageError           bytes that are not a message of the protocol
│   └── UnsendableError    a value that cannot be sent or stored: too long, too deep, not text (also a ``ValueError``)
├── ConnectionFailedError
│   ├── ServerStartError   the server that was started did not answer; includes the end of its log
│   ├── PortInUseError     another program, or another server, holds the port
│   │   └── KeyMismatchError  the server and the client do not accept each other's keys
│   ├── ServerSilentError  a server of this application holds the port but does not answer
│   ├── WrongServerError   the server on the port is not the one that the client names
│   │   └── OutdatedServerError  it is running an earlier version of the client's code
│   └── ServerLostError    a server that used to answer has ended or can no longer be reached
├── RequestTimeoutError    no reply before the deadline (also a ``TimeoutError``)
└── RequestRefusedError    the server replied with an error; includes its code
"""

from zmqruntime.base_messages import ErrorCode

__all__ = [
    "ClosedError",
    "ConfigurationError",
    "ConnectionFailedError",
    "KeyMismatchError",
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
    """Base class of all ``zmqruntime`` errors."""


class ConfigurationError(ZMQRuntimeError):
    """A setting cannot work on this machine."""


class ClosedError(ZMQRuntimeError):
    """The object was closed and cannot be used again."""


class MessageError(ZMQRuntimeError):
    """The bytes are not a message of this protocol.

    Attributes:
        code: why the message was refused.
    """

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class UnsendableError(MessageError, ValueError):
    """A value passed by the caller cannot be sent or stored; the text says why, and what to do instead."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.INVALID, text)


class ConnectionFailedError(ZMQRuntimeError):
    """No server could be reached."""


class ServerStartError(ConnectionFailedError):
    """A server was started, but ended or stayed silent instead of answering.

    Attributes:
        log_tail: the end of its log; empty if there is none.
    """

    def __init__(self, text: str, log_tail: str = "") -> None:
        super().__init__(f"{text}\n--- end of its log ---\n{log_tail}" if log_tail else text)
        self.log_tail = log_tail


class PortInUseError(ConnectionFailedError):
    """Another program, or another server, holds the port."""


class KeyMismatchError(PortInUseError):
    """The server refuses the keys or the encryption of this client, or has another key than the client trusts."""


class ServerSilentError(ConnectionFailedError):
    """A server of this application holds the port but does not answer: it is busy or suspended, and may resume."""


class WrongServerError(ConnectionFailedError):
    """The server on the port is of a different class, or runs in a different environment, than the client names.

    Attributes:
        environments: the Python environments of the server and of this process; None if these do not differ.
    """

    def __init__(self, text: str, environments: tuple[str, str] | None = None) -> None:
        super().__init__(text)
        self.environments = environments


class OutdatedServerError(WrongServerError):
    """The server on the port is running its class as it was before the code changed."""


class ServerLostError(ConnectionFailedError):
    """The server has ended and has not been replaced, or it cannot be reached.

    What an execution server had accepted is not lost: the next one on that port will have it.
    """


class RequestTimeoutError(ZMQRuntimeError, TimeoutError):
    """The server did not reply in time; the request may or may not have been carried out."""


class RequestRefusedError(ZMQRuntimeError):
    """The server replied with an error; or it would, because of a name or an id, so that nothing was sent.

    Attributes:
        code: the reason in machine-readable form.
    """

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code
