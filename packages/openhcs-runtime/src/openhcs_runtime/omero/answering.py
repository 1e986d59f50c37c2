"""A check of whether an OMERO server responds on a port, which is more than a listening socket."""

import socket

__all__ = ["LOOPBACK", "answers"]

LOOPBACK = "127.0.0.1"

_GREETING = b"IceP\x01\x00\x01\x00\x03\x00\x0e\x00\x00\x00"
"""The "validate connection" message, which an Ice server sends to each new client: magic, versions of protocol and
encoding (both 1.0), type 3, not compressed, size 14. Source: Ice manual (ZeroC), "Protocol Messages"."""


def answers(port: int, timeout: float) -> bool:
    """Return whether an OMERO server greets clients on its unencrypted port (4063 in its container).

    Docker itself accepts connections for a container that is not listening yet, and closes them again.
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
