"""``python -m openhcs_gui_services.main``: opens the window, as ``openhcs-gui`` does."""

import sys

from openhcs_gui_services.window.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
