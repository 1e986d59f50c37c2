"""Where the command line begins: loads next to nothing by itself, so that even the earliest Ctrl-C is answered."""

import importlib
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line of this process; gives the exit code."""
    try:
        with importlib.import_module("openhcs_runtime.cli.interrupts").Interrupts() as interrupts:
            code: int = importlib.import_module("openhcs_runtime.cli.app").main(interrupts)
            return code
    except KeyboardInterrupt:  # in the first moment, or pressed twice while the rest is loaded
        failures = importlib.import_module("openhcs_runtime.cli.failures")
        output = importlib.import_module("openhcs_runtime.cli.output")
        error = failures.interrupted()
        return int(output.Output("--json" in sys.argv[1:]).document({}, error))
