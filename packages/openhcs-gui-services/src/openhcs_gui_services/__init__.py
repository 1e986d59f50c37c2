"""Services and PyQt6 widgets to run microscopy plates on a background server.

All public names can be imported from here. ``openhcs_gui_services.services`` has the state and the actions of a window,
without Qt; ``openhcs_gui_services.widgets`` has the widgets.
"""

from zmqruntime.lazy_names import attach

# Names in the stub are imported on first use: services never load Qt.
__getattr__, __dir__, __all__ = attach(__name__, __file__)
