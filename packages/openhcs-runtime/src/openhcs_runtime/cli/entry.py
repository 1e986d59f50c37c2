"""Where the command line begins: it loads next to nothing by itself, so that even the earliest Ctrl-C is answered."""

import importlib
import signal

__all__ = ["main"]


def main() -> int:
    """Run the command line of this process; gives the exit code."""
    try:
        with importlib.import_module("openhcs_runtime.cli.interrupts").Interrupts() as interrupts:
            code: int = importlib.import_module("openhcs_runtime.cli.typed").run(interrupts)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - what is not for the user is raised again
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the words for it take a moment to load
        code = importlib.import_module("openhcs_runtime.cli.endings").end_with(error)
    return code
