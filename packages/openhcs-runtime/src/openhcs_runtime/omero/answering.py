"""Whether an OMERO server answers on a port, which is more than that something listens there."""

import socket

__all__ = ["LOOPBACK", "answers"]

LOOPBACK = "127.0.0.1"

_GREETING = b"IceP\x01\x00\x01\x00\x03\x00\x0e\x00\x00\x00"
"""The message "validate connection", which a server of the Ice protocol sends by itself to who connects: name,
versions of protocol and encoding (1.0 both), type 3, not compressed, size 14. Source: Ice manual (ZeroC), "Protocol
Messages"."""


def answers(port: int, timeout: float) -> bool:
    """Whether an OMERO server greets who connects to its plain port (4063 of its container).

    Docker itself accepts connections for a container that does not listen yet, and closes them again.
    """
    try:
        with socket.create_connection((LOOPBACK, port), timeout) as line:
            line.settimeout(timeout)
            heard = b""
            while len(heard) < len(_GREETING) and (more := line.recv(len(_GREETING) - len(heard))):
                heard += more
    except OSError:
        return False
    return heard == _GREETING
