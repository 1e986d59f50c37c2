"""Plate maps: what is in each well, from a CSV, Excel or JSON file, and expressions that choose wells by it."""

from zmqruntime.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
