"""Previews: a pipeline on one site of a well, in memory, in a process that stays warm between edits."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
