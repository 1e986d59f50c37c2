"""State, actions and texts of a window, without widgets: nothing here imports Qt."""

import os

from zmqruntime.lazy_names import attach

# Names in the stub are imported on first use: texts and rows don't need the modules that talk to servers.
__getattr__, __dir__, __all__ = attach(__name__, __file__)

__path__.append(os.path.join(__path__[0], "compat", "modules"))  # module names of earlier documents
