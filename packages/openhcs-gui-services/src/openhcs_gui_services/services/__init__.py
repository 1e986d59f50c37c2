"""What a window needs to know, do and say about plates, without a widget: nothing here imports Qt."""

import os

import lazy_loader

# Each name in the stub is imported when it is first used: texts and rows need nothing that talks to servers.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__path__.append(os.path.join(__path__[0], "compat", "modules"))  # the module names of earlier documents
