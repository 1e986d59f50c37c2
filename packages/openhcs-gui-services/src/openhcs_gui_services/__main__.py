"""Entry point of ``python -m openhcs_gui_services``, the same as the command ``openhcs-gui``."""

import sys

from openhcs_gui_services.window.cli import main

if __name__ == "__main__":
    sys.exit(main())
