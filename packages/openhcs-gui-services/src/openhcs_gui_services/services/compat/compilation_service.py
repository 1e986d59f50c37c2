"""Compiles plates for a host: a thin adapter for a workspace."""

from collections.abc import Iterable, Mapping
from typing import Any

from openhcs_gui_services.services.compat.execution_host import CompilationHost, HostMirror
from openhcs_gui_services.services.runs.workspace import PlateWorkspace

__all__ = ["CompilationHost", "CompilationService"]


class CompilationService:
    """Compiles the pipelines of a host's plates on a server.

    Args:
        host: see :class:`CompilationHost`.
        port: data port of the server; one is started if none responds.
        workspace: the workspace of the host, which it closes itself [default: a new one].
    """

    def __init__(self, host: CompilationHost, port: int = 7777, *, workspace: PlateWorkspace | None = None) -> None:
        self.host = host
        self._is_owner = workspace is None
        self.workspace = workspace or PlateWorkspace(port)
        self._mirror = HostMirror(self.workspace, host)

    async def compile_plates(self, selected_items: Iterable[Mapping[str, Any]]) -> None:
        """Compile plates and wait until all have been compiled.

        Args:
            selected_items: the plates, each with its folder under ``path``.
        """
        names, _ = await self._mirror.add(selected_items)
        await self.workspace.compile(names)

    async def shutdown(self) -> None:
        """Disconnect from the server. Can be called more than once."""
        self._mirror.unsubscribe()
        if self._is_owner:
            await self.workspace.close()
