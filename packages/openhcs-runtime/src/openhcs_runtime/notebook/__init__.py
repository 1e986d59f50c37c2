"""Runs of plates in notebooks: the wells, steps and failures of a run in the output of its cell, as they happen."""

from zmqruntime.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
