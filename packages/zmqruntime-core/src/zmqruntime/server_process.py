"""Entry point of a server process that was started by a client; see :mod:`zmqruntime.launch`."""

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
    """Run the server that ``argv`` describes; print one line once it is listening, and log everything else."""
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
    """Close the server when its owner has ended, no matter how.

    The end of the owner shows as the end of our stdin; on Linux its process is watched as well, because a fork or child
    of the owner may hold the other end of the pipe open.
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
