"""Starts a preview process; see ``openhcs_runtime.preview.child``."""

import sys

from openhcs_runtime.preview.child import main

if __name__ == "__main__":
    main(sys.argv[1])
