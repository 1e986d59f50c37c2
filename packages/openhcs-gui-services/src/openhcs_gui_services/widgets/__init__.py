"""PyQt6 widgets: a thin layer on top of the services."""

import os

import lazy_loader

# Names in the stub are imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__path__.append(os.path.join(__path__[0], "compat"))  # module names of earlier documents
