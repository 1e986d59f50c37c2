"""Previews: a pipeline on one site of a well, in memory, in a process that stays warm between edits."""

from zmqruntime.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
