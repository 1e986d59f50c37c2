"""Finds servers and viewers on this machine and at given addresses, and monitors them.

On this machine they are found by their socket files in ``~/.<app>/ipc``. Servers on TCP have no socket files, so their
addresses have to be given.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from openhcs_gui_services.exceptions import NotOurServerError, ServerStaysError
from openhcs_gui_services.services.servers.link import Connection, ServerLink
from openhcs_gui_services.services.servers.nodes import BrowserSnapshot, Reach, ServerAddress, ServerNode
from openhcs_gui_services.services.servers.processes import kill_server
from zmqruntime.config import ZMQConfig
from zmqruntime.execution.cli.discovery import data_ports
from zmqruntime.process_log import log_tail

__all__ = ["ServerBrowser", "find_addresses"]

_QUIT_SECONDS: Final = 15.0
_TAIL_BYTES: Final = 256 * 1024
_LOG_NAMES: Final = ("server.log", "viewer.log")


class ServerBrowser:
    """Polls servers and reports changes.

    Belongs to one event loop. ``run()`` polls repeatedly until :meth:`close` is called.

    Args:
        on_change: called on the event loop with each snapshot that differs from the previous one.
        addresses: addresses to poll in addition to those found on this machine.
        interval: seconds between two polls.
        find: returns the addresses on this machine; called in a thread [default: :func:`find_addresses`].
        shared: returns a connection that the host already has to a server, or None; for all other servers the browser
            opens its own connections.
    """

    def __init__(
        self,
        on_change: Callable[[BrowserSnapshot], None] | None = None,
        *,
        addresses: Iterable[ServerAddress] = (),
        interval: float = 1.0,
        find: Callable[[], Iterable[ServerAddress]] | None = None,
        shared: Callable[[ServerAddress], Connection | None] = lambda address: None,
    ) -> None:
        self._on_change = on_change
        self._given = tuple(addresses)
        self._interval = interval
        self._find = find or find_addresses
        self._shared = shared
        self._links: dict[ServerAddress, ServerLink] = {}
        self._snapshot = BrowserSnapshot()
        self._round = 0
        self._polling: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._is_closed = False

    @property
    def snapshot(self) -> BrowserSnapshot:
        """The latest snapshot."""
        return self._snapshot

    @property
    def addresses(self) -> tuple[ServerAddress, ...]:
        """The addresses that are polled in addition to those found on this machine."""
        return self._given

    def set_addresses(self, addresses: Iterable[ServerAddress]) -> None:
        """Replace the additional addresses; the result of a poll in progress is discarded."""
        self._given = tuple(addresses)
        self._round += 1
        self._wake.set()

    def look_soon(self) -> None:
        """Poll again now instead of waiting for the interval to pass."""
        self._wake.set()

    async def poll(self) -> BrowserSnapshot:
        """Poll all servers once, or wait for the poll in progress; return the snapshot."""
        if self._is_closed:
            return self._snapshot
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._look())
        await asyncio.shield(self._polling)
        return self._snapshot

    async def run(self) -> None:
        """Poll repeatedly until ``close()`` is called."""
        while not self._is_closed:
            await self.poll()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._wake.wait()
            self._wake.clear()

    async def close(self) -> None:
        """Close all connections of the browser; the servers are not affected. Can be called more than once."""
        self._is_closed = True
        self._wake.set()
        if self._polling is not None:
            await asyncio.wait([self._polling])
        links, self._links = self._links, {}
        await asyncio.gather(*(link.close() for link in links.values()))

    # --- actions -------------------------------------------------------------------------------------------------

    async def quit(self, address: ServerAddress, timeout: float = _QUIT_SECONDS) -> None:
        """Shut a server down and wait until it has ended.

        Running executions are interrupted; queued ones wait for the next server.

        Args:
            address: address of the server.
            timeout: how long to wait, in seconds.

        Raises:
            ZMQRuntimeError: the server doesn't answer, refuses, or is still running after ``timeout`` seconds.
        """
        await self._link(address).quit(timeout)
        self.look_soon()

    async def force_kill(self, address: ServerAddress) -> None:
        """Kill a server's process and all its workers immediately.

        Raises:
            NotOurServerError: the process can't be proven to be a server of this user on this machine.
            ServerStaysError: the process was killed but did not exit in time.
        """
        node = self.node(address)
        if node is None or node.pong is None or not node.can_kill:
            raise NotOurServerError(f"the process of the server on {address} is not known; kill it on its own machine")
        if not await asyncio.to_thread(kill_server, node.pong):
            raise ServerStaysError(f"process {node.pong.pid} was killed but has not exited yet")
        self.look_soon()

    async def log_tail(self, address: ServerAddress) -> str:
        """Return the end of the log of a server on this machine; empty if there is none."""
        return await asyncio.to_thread(_read_tail, address)

    def node(self, address: ServerAddress) -> ServerNode | None:
        """Return the server at an address in the latest snapshot; None if there is none."""
        return next((node for node in self._snapshot.servers if node.address == address), None)

    # --- parts ---------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        number = self._round
        found = await asyncio.to_thread(lambda: tuple(self._find()))
        wanted = dict.fromkeys((*found, *self._given))
        await self._let_go(self._links.keys() - wanted.keys())
        nodes = await asyncio.gather(*(self._link(address).look() for address in wanted))
        if number != self._round or self._is_closed:
            return
        shown = tuple(sorted((node for node in nodes if self._is_worth_showing(node)), key=lambda node: _order(node)))
        if shown != self._snapshot.servers or self._snapshot.number == 0:
            self._snapshot = BrowserSnapshot(shown, self._snapshot.number + 1)
            if self._on_change is not None:
                self._on_change(self._snapshot)

    def _is_worth_showing(self, node: ServerNode) -> bool:
        """Return False for ended servers that were never seen alive, so that old socket files don't fill the list."""
        return node.reach is not Reach.ENDED or node.pong is not None

    async def _let_go(self, addresses: Iterable[ServerAddress]) -> None:
        for address in list(addresses):
            await self._links.pop(address).close()

    def _link(self, address: ServerAddress) -> ServerLink:
        if address not in self._links:
            self._links[address] = ServerLink(address, lambda: self._shared(address))
        return self._links[address]


def find_addresses(home: Path | None = None) -> tuple[ServerAddress, ...]:
    """Return the addresses of this user's socket files on this machine, for all applications.

    Args:
        home: the home directory to search [default: that of the user].
    """
    folder = ZMQConfig().ipc_socket_dir
    return tuple(
        ServerAddress(port, found.parent.name.removeprefix("."))
        for found in sorted((home or Path.home()).glob(f".*/{folder}"))
        for port in data_ports(found)
    )


def _order(node: ServerNode) -> tuple[bool, str, str, int]:
    return node.address.host is not None, node.address.host or "", node.address.app, node.address.port


def _read_tail(address: ServerAddress) -> str:
    if not address.is_local:
        return ""
    folder = address.config.server_dir(address.port)
    tails = (log_tail(folder / name, nbytes=_TAIL_BYTES) for name in _LOG_NAMES)
    return next(filter(None, tails), "")
