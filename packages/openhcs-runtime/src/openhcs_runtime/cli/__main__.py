"""``python -m openhcs_runtime.cli`` is the same as the command ``openhcs-runtime``."""

import sys

from openhcs_runtime.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
