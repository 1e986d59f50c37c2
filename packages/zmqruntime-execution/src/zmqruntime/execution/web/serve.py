"""Serves the page until Ctrl-C, or from a program's own thread."""

import asyncio
import dataclasses
import functools
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from zmqruntime.execution.web.app import make_app
from zmqruntime.execution.web.extensions import WebExtension
from zmqruntime.execution.web.places import Finder
from zmqruntime.execution.web.settings import WebSettings, is_loopback

try:
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol
except ImportError as error:
    raise ImportError(f"the page needs the extra 'web' ({error}): pip install 'zmqruntime-execution[web]'") from error

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["PageServer"]

_MOST_CONNECTIONS = 256
_BACKLOG = 64


class PageServer:
    """The page on a port.

    Args:
        find: looks for the servers to show.
        settings: how it is served; port 0 takes a free one.
        extensions: panels; those of the installed packages by default.

    Raises:
        OSError: the port is taken, or the address is not one of this machine.
    """

    def __init__(self, find: Finder, settings: WebSettings, extensions: list[WebExtension] | None = None) -> None:
        self._socket = _listen(settings.bind, settings.port)
        self.settings = dataclasses.replace(settings, port=self._socket.getsockname()[1])
        try:
            app = make_app(find, self.settings, extensions)
        except BaseException:
            self._socket.close()
            raise
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=_CuttableProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
        self._server = _Server(config, app)

    @property
    def url(self) -> str:
        """The address of the page, with its token if it has one."""
        bind, port = self.settings.bind, self.settings.port
        everywhere = bind in ("0.0.0.0", "::", "")
        host = socket.gethostname() if everywhere else f"[{bind}]" if ":" in bind else bind
        token = f"?token={self.settings.token}" if self.settings.token else ""
        return f"http://{host}:{port}/{token}"

    @property
    def is_open_to_others(self) -> bool:
        """Whether other machines can connect; what they are sent is not encrypted."""
        return not is_loopback(self.settings.bind)

    def run(self) -> None:
        """Serve until Ctrl-C, or until :meth:`stop` is called in another thread."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """End :meth:`run`; from any thread."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """Ends the pages' streams before it waits for its connections to close."""

    def __init__(self, config: uvicorn.Config, app: "Starlette") -> None:
        super().__init__(config)
        self._end_pages: Callable[[], None] = app.state.end_pages

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._end_pages()
        await super().shutdown(sockets)


class _CuttableProtocol(H11Protocol):
    """Lets a response end its connection at once, without waiting for a reader that does not read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as asyncio calls it
        """Give each request of the connection the means."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "cut": functools.partial(transport.abort)}


def _listen(bind: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    return socket.create_server((bind, port), family=family, backlog=_BACKLOG)
