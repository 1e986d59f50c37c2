"""Executions in notebooks: tables that are replaced in the output of a cell while tasks are running."""

from zmqruntime.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
