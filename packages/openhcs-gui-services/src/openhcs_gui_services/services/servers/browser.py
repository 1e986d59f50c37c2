"""Finds the servers and viewers of this machine and at given addresses, and keeps looking at what they do.

On this machine they are found by their socket files, in ``~/.<app>/ipc``; servers on TCP have none, and are given by
their addresses.
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
    """Looks at servers, one look at a time, and says what it found.

    For one event loop. ``run()`` looks again and again until :meth:`close`.

    Args:
        on_change: called on the event loop with every new snapshot that differs from the one before.
        addresses: where to look besides this machine's socket files.
        interval: seconds between two looks.
        find: gives the addresses on this machine; called in a thread.
        shared: gives a connection that the host has to a server anyway, None where it has none; any other server gets
            one of the browser's.
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
        """What was found last."""
        return self._snapshot

    @property
    def addresses(self) -> tuple[ServerAddress, ...]:
        """The given addresses."""
        return self._given

    def set_addresses(self, addresses: Iterable[ServerAddress]) -> None:
        """Look there from now on; what a look under way finds is dropped."""
        self._given = tuple(addresses)
        self._round += 1
        self._wake.set()

    def look_soon(self) -> None:
        """Do not wait for the interval to pass."""
        self._wake.set()

    async def poll(self) -> BrowserSnapshot:
        """Look once, or wait for the look that is under way; what is known then."""
        if self._is_closed:
            return self._snapshot
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._look())
        await asyncio.shield(self._polling)
        return self._snapshot

    async def run(self) -> None:
        """Look again and again, until ``close()``."""
        while not self._is_closed:
            await self.poll()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._wake.wait()
            self._wake.clear()

    async def close(self) -> None:
        """Release all connections; the servers do not notice. May be called twice."""
        self._is_closed = True
        self._wake.set()
        if self._polling is not None:
            await asyncio.wait([self._polling])
        links, self._links = self._links, {}
        await asyncio.gather(*(link.close() for link in links.values()))

    # --- what can be done to a server ----------------------------------------------------------------------------

    async def quit(self, address: ServerAddress, timeout: float = _QUIT_SECONDS) -> None:
        """Ask a server to end, and wait until it has: what it runs is interrupted, what is queued waits for the next.

        Raises:
            ZMQRuntimeError: it does not answer, refuses, or still runs after ``timeout`` seconds.
        """
        await self._link(address).quit(timeout)
        self.look_soon()

    async def force_kill(self, address: ServerAddress) -> None:
        """Kill a server's process with all its workers, at once.

        Raises:
            NotOurServerError: there is no proof that the process is a server of this user on this machine.
            ServerStaysError: it was killed but has not ended.
        """
        node = self.node(address)
        if node is None or node.pong is None or not node.can_kill:
            raise NotOurServerError(f"which process serves {address} is not known here; end it on its own machine")
        if not await asyncio.to_thread(kill_server, node.pong):
            raise ServerStaysError(f"process {node.pong.pid} was killed, but has not ended yet")
        self.look_soon()

    async def log_tail(self, address: ServerAddress) -> str:
        """The end of the log of a server of this machine; empty when there is none."""
        return await asyncio.to_thread(_read_tail, address)

    def node(self, address: ServerAddress) -> ServerNode | None:
        """What was found last at an address."""
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
        """Of what has ended only servers that were seen alive, so that old socket files do not fill the list."""
        return node.reach is not Reach.ENDED or node.pong is not None

    async def _let_go(self, addresses: Iterable[ServerAddress]) -> None:
        for address in list(addresses):
            await self._links.pop(address).close()

    def _link(self, address: ServerAddress) -> ServerLink:
        if address not in self._links:
            self._links[address] = ServerLink(address, lambda: self._shared(address))
        return self._links[address]


def find_addresses(home: Path | None = None) -> tuple[ServerAddress, ...]:
    """Where servers of this user have socket files on this machine, of every application; nothing is changed."""
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
