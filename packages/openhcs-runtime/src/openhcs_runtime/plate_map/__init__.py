"""Plate maps: what is in each well, from a CSV, Excel or JSON file, and expressions that choose wells by it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
