"""Small pictures of wells, to see a whole plate at once: made, stored, and shown with one contrast."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
