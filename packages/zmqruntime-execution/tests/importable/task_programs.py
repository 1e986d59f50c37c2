"""Programs that the tests of the executor start, and kill."""

import sys

from task_functions import hold

from zmqruntime.execution import Executor

__all__ = ["main"]


def main(path: str) -> None:
    """Submit a function that waits for a file, say its id, and wait for it."""
    with Executor("test", max_workers=1) as executor:
        future = executor.submit(hold, path)
        print(future.execution_id, flush=True)
        print(future.result())


if __name__ == "__main__":
    main(sys.argv[1])
