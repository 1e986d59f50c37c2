"""``python -m zmqruntime.execution.cli`` is the same as the command ``zmqruntime``."""

import sys

from zmqruntime.execution.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
