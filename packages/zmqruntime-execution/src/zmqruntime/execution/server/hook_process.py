"""Entry point of the process that calls the callables of the entry point group ``zmqruntime.on_end``.

Standard input is a msgpack list of snapshots. Each callable gets each snapshot; the exit code is 1 if one has failed,
and what went wrong is on standard error.
"""

import importlib.metadata
import sys
import traceback
from collections.abc import Callable

import msgspec

from zmqruntime.execution.server.hooks import GROUP
from zmqruntime.messages import ExecutionSnapshot

__all__ = ["main"]

Hook = Callable[[ExecutionSnapshot], object]


def main() -> int:
    """Call all hooks for all snapshots."""
    snapshots = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[ExecutionSnapshot])
    failed = False
    for entry_point in importlib.metadata.entry_points(group=GROUP):
        try:
            hook: Hook = entry_point.load()
            for snapshot in snapshots:
                hook(snapshot)
        except Exception:  # noqa: BLE001 - the next hook is called all the same, and the server logs what is printed
            failed = True
            print(f"{entry_point.name} = {entry_point.value}:", file=sys.stderr)
            traceback.print_exc()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
