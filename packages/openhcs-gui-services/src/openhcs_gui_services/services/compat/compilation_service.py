"""Compiles plates for a host: a thin adapter on a workspace, which owns what it does."""

from collections.abc import Iterable, Mapping
from typing import Any

from openhcs_gui_services.services.compat.execution_host import CompilationHost, HostMirror
from openhcs_gui_services.services.runs.workspace import PlateWorkspace

__all__ = ["CompilationHost", "CompilationService"]


class CompilationService:
    """Lets a server check the pipelines of a host's plates.

    Args:
        host: see :class:`CompilationHost`.
        port: of the server; one is started when none answers.
        workspace: the window's, for a host that has one; it is not closed here.
    """

    def __init__(self, host: CompilationHost, port: int = 7777, *, workspace: PlateWorkspace | None = None) -> None:
        self.host = host
        self._is_owner = workspace is None
        self.workspace = workspace or PlateWorkspace(port)
        self._mirror = HostMirror(self.workspace, host)

    async def compile_plates(self, selected_items: Iterable[Mapping[str, Any]]) -> None:
        """Compile the plates of these items, each with its ``path``; returns when all have been."""
        names, _ = await self._mirror.add(selected_items)
        await self.workspace.compile(names)

    async def shutdown(self) -> None:
        """Let go of the server. May be called twice."""
        self._mirror.unsubscribe()
        if self._is_owner:
            await self.workspace.close()
