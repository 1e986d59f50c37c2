"""The main module of a worker process; see :mod:`zmqruntime.execution.workers.process`."""

import contextlib
import importlib
import os
import socket
import sys

from zmqruntime.execution.events.worker_messages import FROM_STDIN
from zmqruntime.execution.workers.loaded_code import LoadedModules
from zmqruntime.execution.workers.parent_death import die_with_parent
from zmqruntime.execution.workers.reaper import start_guarded
from zmqruntime.execution.workers.worker import Worker


def main(argument: str, preload: str = "") -> None:
    """Run the worker with the socket given by ``argument``: a descriptor, or ``FROM_STDIN``.

    Args:
        argument: The socket.
        preload: Name of a module to import before any thread is started; may be empty.
    """
    if argument == FROM_STDIN and sys.platform == "win32":
        sock = socket.fromshare(sys.stdin.buffer.read())
    else:
        if os.name == "posix":
            start_guarded(int(argument))
        sock = socket.socket(fileno=int(argument))
    die_with_parent()
    modules = LoadedModules.here()
    if preload:
        with contextlib.suppress(Exception):  # the server's class needs it, too: its error is reported from there
            importlib.import_module(preload)
    Worker(sock, modules).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
