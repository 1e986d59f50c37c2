"""Sweeps: a pipeline run several times with other values of its parameters, compared in one table and one picture."""

from zmqruntime.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
