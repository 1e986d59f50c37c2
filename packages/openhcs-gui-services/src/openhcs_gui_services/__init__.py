"""Services and PyQt6 widgets to run microscopy plates on a background server.

All public names can be imported from here. What a window knows and does is in `openhcs_gui_services.services`, without
Qt; what it shows is in `openhcs_gui_services.widgets`.
"""

import lazy_loader

# Each name in the stub is imported when it is first used: services never load Qt.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
