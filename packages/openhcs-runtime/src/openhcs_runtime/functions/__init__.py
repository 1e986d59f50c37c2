"""Ready-made pipeline functions based on scikit-image and scipy.ndimage; those with models need an extra.

Each function takes a stack (n, Y, X) as its first argument, or a ``PlateData`` if it is for a ``PlateStep``;
decorators declare its other inputs from the engine and its outputs. Names of lengths end in their unit: ``_px`` for
pixels, ``_um`` for micrometres.
"""

from zmqruntime.lazy_names import attach

# Each name in the stub is imported when it is first used: a script that only names functions loads no image library.
__getattr__, __dir__, __all__ = attach(__name__, __file__)
