"""The page as an ASGI application."""

import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

try:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route
except ImportError as error:
    raise ImportError(f"the page needs the extra 'web' ({error}): pip install 'zmqruntime-execution[web]'") from error

from zmqruntime._version import VERSION
from zmqruntime.exceptions import RequestRefusedError, RequestTimeoutError, ZMQRuntimeError
from zmqruntime.execution.web.access import Access
from zmqruntime.execution.web.answers import Answers
from zmqruntime.execution.web.extensions import PanelError, WebExtension, load_extensions
from zmqruntime.execution.web.files import PageFiles
from zmqruntime.execution.web.machine import Machine, UnknownServerError
from zmqruntime.execution.web.places import Finder
from zmqruntime.execution.web.results import NotJsonError
from zmqruntime.execution.web.settings import WebSettings
from zmqruntime.messages import ErrorCode

__all__ = ["make_app"]

_STATIC = Path(__file__).with_name("static")
_Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(
    find: Finder, settings: WebSettings | None = None, extensions: list[WebExtension] | None = None
) -> Starlette:
    """Return the application, to be served alone at the root of its host.

    Args:
        find: looks for the servers to show.
        settings: how it is served; by default for this machine only, without actions.
        extensions: panels; those of the installed packages by default.
    """
    chosen = settings or WebSettings()
    panels = load_extensions() if extensions is None else extensions
    machine = Machine(find)
    files = PageFiles([("", _STATIC), *((f"{panel.name}/", panel.folder) for panel in panels)])
    answers = Answers(machine, chosen, panels)

    async def page(request: Request) -> Response:
        return files.answer(request, "index.html")

    async def static(request: Request) -> Response:
        return files.answer(request, request.path_params["name"])

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await machine.close()

    execution = "/api/servers/{server}/executions/{execution}"
    app = Starlette(
        routes=[
            Route("/", page),
            Route("/static/{name:path}", static),
            Route("/api/session", _guarded(functools.partial(_session, chosen, panels))),
            Route("/api/events", _guarded(answers.events)),
            Route("/api/servers/{server}/history", _guarded(answers.history)),
            Route("/api/servers/{server}/actions", _guarded(answers.action), methods=["POST"]),
            Route(f"{execution}/log", _guarded(answers.log)),
            Route(f"{execution}/summary", _guarded(answers.summary)),
            Route(f"{execution}/result", _guarded(answers.result)),
            Route(f"{execution}/panels/{{panel}}/{{what}}", _guarded(answers.panel)),
        ],
        middleware=[Middleware(Access, settings=chosen)],
        lifespan=lifespan,
    )
    app.state.end_pages = machine.end_pages
    return app


async def _session(settings: WebSettings, panels: list[WebExtension], request: Request) -> Response:
    """What the page needs to know once."""
    shown = [
        {"name": panel.name, "apps": panel.apps, "module": panel.module, "styles": panel.styles} for panel in panels
    ]
    return JSONResponse({"version": VERSION, "actions": settings.allow_actions, "csrf": settings.csrf, "panels": shown})


def _guarded(endpoint: _Endpoint) -> _Endpoint:
    """Turn errors that a user can be told into answers."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except UnknownServerError as error:
            return _said(error, 404)
        except RequestRefusedError as error:
            return _said(error, 404 if error.code is ErrorCode.NOT_FOUND else 409)
        except RequestTimeoutError as error:
            return _said(error, 504)
        except NotJsonError as error:
            return _said(error, 406)
        except (PanelError, ZMQRuntimeError) as error:
            return _said(error, 409)

    return answer


def _said(error: Exception, status: int) -> Response:
    return JSONResponse({"error": str(error)}, status)
