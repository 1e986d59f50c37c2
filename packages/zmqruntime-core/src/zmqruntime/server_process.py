"""Entry point of a server process that was started by a client; see :mod:`zmqruntime.launch`."""

import contextlib
import logging
import os
import sys
import threading

import msgspec

from zmqruntime.evidence import ProcessEnd
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
        if lifetime is Lifetime.OWNED and sys.platform != "linux":
            threading.Thread(target=_wait_for_owner, args=(server,), name="owner-watch", daemon=True).start()

        def on_ready() -> None:
            if lifetime is Lifetime.OWNED and sys.platform == "linux":
                _watch_owner(server, owner)
            _announce()

        server.serve_forever(on_ready)
    except ZMQRuntimeError as error:
        print(error, file=sys.stderr)
        return _USE_ERROR
    return 0


def _announce() -> None:
    os.write(1, READY_LINE)
    os.dup2(2, 1)


def _watch_owner(server: ZMQServer, owner: int) -> None:
    """Close the server when its owner has ended, no matter how; called on the server's thread.

    The end of the owner shows as the end of our stdin; its process is watched as well, because a fork or child of the
    owner may hold the other end of the pipe open.
    """
    server.loop.add_reader(sys.stdin, lambda: None if os.read(0, 4096) else server.close())
    try:
        server.loop.add_reader(ProcessEnd(os.pidfd_open(owner)), server.close)
    except ProcessLookupError:
        server.close()
    if os.getppid() != owner:
        server.close()


def _wait_for_owner(server: ZMQServer) -> None:
    """Close the server at the end of our stdin, which is the end of its owner."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    server.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
