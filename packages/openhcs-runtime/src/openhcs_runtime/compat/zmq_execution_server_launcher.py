"""``python -m openhcs_runtime.zmq_execution_server_launcher``, the same as ``openhcs-runtime serve``."""

import sys

from openhcs_runtime.cli.entry import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.argv.insert(1, "serve")
    sys.exit(main())
