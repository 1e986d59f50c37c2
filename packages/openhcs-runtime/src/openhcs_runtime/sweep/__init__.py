"""Sweeps: a pipeline run several times with other values of its parameters, compared in one table and one picture."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
