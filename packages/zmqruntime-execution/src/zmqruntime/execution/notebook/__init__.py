"""Executions in notebooks: tables that are replaced in the output of a cell while tasks are running."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
