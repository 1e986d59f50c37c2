"""Small pictures of wells, to see a whole plate at once: made, stored, and shown with one contrast."""

from zmqruntime.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
