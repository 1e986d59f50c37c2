"""PyQt6 widgets: a thin layer on top of the services."""

import os

from zmqruntime.lazy_names import attach

# Names in the stub are imported on first use.
__getattr__, __dir__, __all__ = attach(__name__, __file__)

__path__.append(os.path.join(__path__[0], "compat"))  # module names of earlier documents
