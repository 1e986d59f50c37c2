"""Runs of plates in notebooks: the wells, steps and failures of a run in the output of its cell, as they happen."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
