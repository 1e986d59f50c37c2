"""Entry point of ``python -m openhcs_gui_services.main``, the same as the command ``openhcs-gui``."""

import sys

from openhcs_gui_services.window.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
