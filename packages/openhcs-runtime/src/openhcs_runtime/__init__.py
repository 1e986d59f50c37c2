"""Image pipelines over microscopy plates, run on a background server."""

import os

import lazy_loader

# Each name in the stub is imported when it is first used: a command that only talks to a server loads no image library.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__path__.append(os.path.join(__path__[0], "compat"))  # the module names of earlier documents
