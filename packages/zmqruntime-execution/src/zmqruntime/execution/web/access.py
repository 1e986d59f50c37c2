"""Who may ask for a page, and the headers that keep a browser from doing anything else with it."""

import hmac
import secrets
import urllib.parse
from collections.abc import MutableMapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zmqruntime.execution.web.settings import WebSettings

__all__ = ["Access"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_NO_TOKEN = (
    "this page needs the address that 'zmqruntime web' has printed: it ends in ?token=..., and is needed once for "
    "each browser\n"
)


class Access:
    """Lets requests through that name this machine, come from this page, and have the cookie; others are refused.

    Args:
        app: what answers requests.
        settings: how the page is served.
    """

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message)
            await send(message)

        refusal = self._refusal(HTTPConnection(scope))
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, request: HTTPConnection) -> Response | None:
        """What to answer in place of the page; None to go on."""
        settings = self._settings
        host = request.headers.get("host", "")
        if not settings.knows_host(host):
            text = f"the name {host[:100]!r} is not one of this machine: start the page with --allow-host NAME\n"
            return PlainTextResponse(text, 421)
        if _is_foreign(request.headers, host):
            return PlainTextResponse("this request comes from another site: open the page itself\n", 403)
        if not settings.token:
            return None
        given = request.query_params.get("token")
        if given is not None and request.scope["method"] == "GET":
            return self._log_in(request, given)
        if hmac.compare_digest(request.cookies.get(settings.cookie, "").encode(), settings.session.encode()):
            return None
        return PlainTextResponse(_NO_TOKEN, 401)

    def _log_in(self, request: HTTPConnection, given: str) -> Response:
        """Exchange the token for a cookie, so that it does not stay in the address."""
        settings = self._settings
        if not secrets.compare_digest(given.encode(), settings.token.encode()):
            return PlainTextResponse(_NO_TOKEN, 401)
        rest = [pair for pair in request.query_params.multi_items() if pair[0] != "token"]
        query = f"?{urllib.parse.urlencode(rest)}" if rest else ""
        # Only the path of this request: a redirect to another site is not possible.
        response = RedirectResponse("/" + request.url.path.lstrip("/\\") + query, 303)
        response.set_cookie(settings.cookie, settings.session, httponly=True, samesite="strict", path="/")
        return response


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether a browser says that another site has made the request; a link that a user follows is not meant."""
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        return True
    origin = headers.get("origin")
    return origin is not None and urllib.parse.urlsplit(origin).netloc.lower() != host.lower()


def _add_headers(message: MutableMapping[str, object]) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
