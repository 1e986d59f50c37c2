"""The main module of a worker process; see :mod:`zmqruntime.execution.pool`."""

import logging
import socket
import sys

from zmqruntime.execution.processes import die_with_parent
from zmqruntime.execution.worker import Worker
from zmqruntime.execution.worker_protocol import FROM_STDIN


def main(argument: str) -> None:
    """Run the worker; ``argument`` says where its socket comes from."""
    die_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if argument == FROM_STDIN and sys.platform == "win32":
        sock = socket.fromshare(sys.stdin.buffer.read())
    else:
        sock = socket.socket(fileno=int(argument))
    Worker(sock).run()


if __name__ == "__main__":
    main(sys.argv[1])
