"""Runs image-analysis pipelines on microscopy plates, on a background server."""

import os

from zmqruntime.lazy_names import attach

# Names in the stub are imported on first use, so that commands that only talk to a server import no image library.
__getattr__, __dir__, __all__ = attach(__name__, __file__)

__path__.append(os.path.join(__path__[0], "compat"))  # module names of earlier releases
