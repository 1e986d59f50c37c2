"""The functions that the names in a pipeline's text stand for."""

import builtins
from collections.abc import Iterable

from openhcs_gui_services.services.pipeline.step_form import FunctionInfo
from openhcs_gui_services.services.pipeline.text import PipelineOutline

__all__ = ["Library"]


class Library:
    """Functions that a pipeline can use, in addition to those that it defines itself."""

    def __init__(self, functions: Iterable[FunctionInfo]) -> None:
        self.functions = tuple(functions)
        self._by_place = {(info.module, info.name): info for info in self.functions}
        self._modules = {info.module for info in self.functions}

    def info_of(self, function: str, outline: PipelineOutline) -> FunctionInfo | None:
        """Return a function defined in the text, imported from the library, or accessed through an imported module."""
        own = next((info for info in outline.functions if info.name == function), None)
        return own or self._by_place.get(self._place(function, outline))

    def is_missing(self, function: str, outline: PipelineOutline) -> bool:
        """Return whether a name can't be a function: it is not defined, or not in the module it is taken from."""
        first = function.partition(".")[0]
        if first not in outline.names:
            return "*" not in outline.names and not hasattr(builtins, first)
        module, name = self._place(function, outline)
        return module in self._modules and (module, name) not in self._by_place and "." in function

    def functions_for(self, outline: PipelineOutline) -> tuple[FunctionInfo, ...]:
        """Return all functions that can be added: those of the text, then those of the library."""
        return (*outline.functions, *self.functions)

    def _place(self, function: str, outline: PipelineOutline) -> tuple[str, str]:
        first, _, rest = function.partition(".")
        imported = dict(outline.imports or {}).get(first, first)
        module, _, name = (f"{imported}.{rest}" if rest else imported).rpartition(".")
        return module, name
