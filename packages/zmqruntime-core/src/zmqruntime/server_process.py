"""What runs in a server process that a client started; see :mod:`zmqruntime.launch`."""

import contextlib
import logging
import os
import select
import sys
import threading

import msgspec

from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.launch import READY_LINE, Lifetime, ServerSpec
from zmqruntime.server import ZMQServer

_USE_ERROR = 2


def main(argv: list[str]) -> int:
    """Make the server that ``argv`` describes, say one line when it listens, then write all else to the log."""
    owner = os.getppid()
    lifetime, spec = Lifetime(argv[0]), msgspec.json.decode(argv[1], type=ServerSpec)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        server = spec.build()
        server.be_started_by_client(lifetime, spec.target)
        if lifetime is Lifetime.OWNED:
            threading.Thread(target=_watch_owner, args=(server, owner), name="owner-watch", daemon=True).start()
        server.serve_forever(on_ready=_announce)
    except ZMQRuntimeError as error:
        print(error, file=sys.stderr)
        return _USE_ERROR
    return 0


def _announce() -> None:
    os.write(1, READY_LINE)
    os.dup2(2, 1)


def _watch_owner(server: ZMQServer, owner: int) -> None:
    """Close the server when its owner is gone, which the system sees to however that one ends.

    The sign is the end of our stdin; on Linux also the end of the process, since a fork of the owner, or a child of
    it, may hold the other end open.
    """
    if sys.platform == "linux":
        with contextlib.suppress(ProcessLookupError):
            ended = os.pidfd_open(owner)
            if os.getppid() == owner:
                poller = select.poll()
                poller.register(ended, select.POLLIN)
                poller.register(0, select.POLLHUP)
                poller.poll()
    else:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
    server.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
