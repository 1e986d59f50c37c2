"""The answers to what a page asks: its live events, and single questions about executions."""

import asyncio
import contextlib
import hmac
import urllib.parse
from collections.abc import AsyncIterator, Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from zmqruntime.codec import encode
from zmqruntime.exceptions import RequestRefusedError
from zmqruntime.execution.clean import clean
from zmqruntime.execution.events.log_files import format_line, log_dir, log_paths
from zmqruntime.execution.events.result_files import lacks_result
from zmqruntime.execution.executor.opened import is_failure
from zmqruntime.execution.web.actions import ActionRequest, act
from zmqruntime.execution.web.cursor import Cursor
from zmqruntime.execution.web.event_response import EventResponse
from zmqruntime.execution.web.extensions import PanelRequest, WebExtension
from zmqruntime.execution.web.machine import Machine
from zmqruntime.execution.web.results import SUMMARY_BYTES, ResultSummary, as_json, pieces_of, summary_of
from zmqruntime.execution.web.searching import search_history
from zmqruntime.execution.web.settings import WebSettings
from zmqruntime.execution.web.stored import StoredReader
from zmqruntime.execution.web.stream import PageStream, Subject
from zmqruntime.execution.web.views import row_of
from zmqruntime.execution.web.watch import ServerWatch
from zmqruntime.messages import ErrorCode, ExecutionSnapshot, LogLine

__all__ = ["Answers"]

_MOST_PAGE = 200
_MOST_BODY = 16 * 1024
_PANELS_AT_ONCE = 4
_JSON_BYTES = 64 * 1024 * 1024


class Answers:
    """Answers requests.

    Args:
        machine: all servers.
        settings: how the page is served.
        panels: extensions.
    """

    def __init__(self, machine: Machine, settings: WebSettings, panels: list[WebExtension]) -> None:
        self._machine = machine
        self._settings = settings
        self._panels = {panel.name: panel for panel in panels}
        self._pages = 0
        self._panel_room = asyncio.Semaphore(_PANELS_AT_ONCE)

    async def events(self, request: Request) -> Response:
        """Return the events of a page, after the latest one that it has."""
        if self._pages >= self._settings.most_pages:
            text = f"{self._pages} pages are open already: close some of them"
            return JSONResponse({"error": text}, 503, {"Retry-After": "10"})
        query = request.query_params
        subject = Subject(query.get("server", ""), query.get("execution", ""))
        after = request.headers.get("last-event-id") or query.get("after", "")
        messages = PageStream(self._machine, subject, Cursor.parse(after)).messages()
        first = await anext(messages)  # raises for a server that is not known
        return EventResponse(first, messages, self._counted)

    async def history(self, request: Request) -> Response:
        """Return a page of ended executions, newest first; with ``text``, those that have it."""
        query = request.query_params
        limit = _whole(query.get("limit", "50"), _MOST_PAGE)
        if limit is None:
            return _error(f"limit must be a whole number from 1 to {_MOST_PAGE}", 400)
        async with self._watching(request) as watch:
            found = await search_history(watch, query.get("text", "")[:200], query.get("older_than") or None, limit)
        rows = [row_of(entry) for entry in found.executions]
        answer = {"rows": rows, "more": found.more, "looked_at": found.looked_at, "older_than": found.older_than}
        return _json(answer)

    async def log(self, request: Request) -> Response:
        """Return the log as a text file."""
        execution_id = request.path_params["execution"]
        async with self._watching(request) as watch:
            snapshot = await _snapshot(watch, execution_id)  # also refuses what is not an id
            text = await asyncio.to_thread(_log_text, watch, snapshot.execution_id)
        return PlainTextResponse(clean(text, None), headers=_download(f"{execution_id[:12]}.log"))

    async def summary(self, request: Request) -> Response:
        """Return the result in a few lines."""
        async with self._watching(request) as watch:
            snapshot = await _snapshot(watch, request.path_params["execution"])
            if (snapshot.result_bytes or 0) > SUMMARY_BYTES:
                return _json(
                    {"kind": f"a long result of {snapshot.result_bytes or 0:,} bytes", "rows": [], "left_out": 0}
                )
            if is_failure(snapshot):
                return _json(ResultSummary("nothing, because it has failed"))
            return _json(summary_of((await _with_result(watch, snapshot)).result))

    async def result(self, request: Request) -> Response:
        """Return the result as a file, as MessagePack or JSON."""
        execution_id = request.path_params["execution"]
        name = execution_id[:12]
        async with contextlib.AsyncExitStack() as stack:
            watch = await stack.enter_async_context(self._watching(request))
            snapshot = await _snapshot(watch, execution_id)
            if is_failure(snapshot) or (snapshot.result_bytes is None and snapshot.result is None):
                raise RequestRefusedError(ErrorCode.NOT_FOUND, f"execution {execution_id} has no result")
            if request.query_params.get("format") == "json":
                if (snapshot.result_bytes or 0) > _JSON_BYTES:
                    text = f"the result has {snapshot.result_bytes:,} bytes, too many for JSON: download MessagePack"
                    raise RequestRefusedError(ErrorCode.INVALID, text)
                body = as_json((await _with_result(watch, snapshot)).result)
                return Response(body, media_type="application/json", headers=_download(f"{name}.json"))
            headers = _download(f"{name}.msgpack")
            if watch.client is None:
                body = encode((await _with_result(watch, snapshot)).result)
                return Response(body, media_type="application/vnd.msgpack", headers=headers)
            pieces = _closing(pieces_of(watch.client, snapshot), stack.pop_all())
            return StreamingResponse(pieces, media_type="application/vnd.msgpack", headers=headers)

    async def panel(self, request: Request) -> Response:
        """Return what an extension answers."""
        panel = self._panels.get(request.path_params["panel"])
        if panel is None:
            return _error("there is no such panel: install the package that has it", 404)
        async with self._watching(request) as watch:
            snapshot = await _snapshot(watch, request.path_params["execution"])
            if watch.place.app not in panel.apps:
                return _error(f"the panel {panel.name} is not for executions of {watch.place.app}", 404)
            if (snapshot.result_bytes or 0) <= SUMMARY_BYTES:
                snapshot = await _with_result(watch, snapshot)
            asked = PanelRequest(request.path_params["what"], watch.place, snapshot, dict(request.query_params))
        async with self._panel_room:
            answer = await asyncio.to_thread(panel.answer, asked)
        keep = {"Cache-Control": f"private, max-age={answer.seconds}"} if answer.seconds else None
        return Response(answer.body, media_type=answer.media_type, headers=keep)

    async def action(self, request: Request) -> Response:
        """Carry out an action, if this page may."""
        if not self._settings.allow_actions:
            return _error("this page only shows: start it with --allow-actions to act on servers", 403)
        given = request.headers.get("x-csrf-token", "")
        if not hmac.compare_digest(given.encode(), self._settings.csrf.encode()):
            return _error("the page is from an earlier start of 'zmqruntime web': load it again", 403)
        if not request.headers.get("content-type", "").startswith("application/json"):
            return _error("an action is sent as application/json", 415)
        body = await _limited_body(request)
        try:
            asked = msgspec.json.decode(body, type=ActionRequest)
        except msgspec.MsgspecError as error:
            return _error(f"this is not an action: {error}", 400)
        async with self._watching(request) as watch:
            if watch.client is None:
                return _error("the server does not answer, or has ended: nothing was changed", 409)
            return _json(await act(watch.client, asked))

    @contextlib.asynccontextmanager
    async def _watching(self, request: Request) -> AsyncIterator[ServerWatch]:
        key = urllib.parse.unquote(request.path_params["server"])
        async with self._machine.watching(key) as watch:
            await watch.looked.wait()
            yield watch

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._pages += 1
        try:
            yield
        finally:
            self._pages -= 1


async def _snapshot(watch: ServerWatch, execution_id: str) -> ExecutionSnapshot:
    """Return an execution without a long result."""
    if watch.client is not None:
        return await watch.client.snapshot_of(execution_id)
    return (await asyncio.to_thread(_stored(watch).execution, execution_id)).snapshot


async def _with_result(watch: ServerWatch, snapshot: ExecutionSnapshot) -> ExecutionSnapshot:
    if not lacks_result(snapshot):
        return snapshot
    if watch.client is not None:
        return await watch.client.poll_status(snapshot.execution_id)
    return await asyncio.to_thread(_stored(watch).with_result, snapshot.execution_id)


def _stored(watch: ServerWatch) -> StoredReader:
    reader = watch.stored
    if reader is None:
        text = watch.trouble or "the server has left no executions on this machine"
        raise RequestRefusedError(ErrorCode.NOT_FOUND, text)
    return reader


def _log_text(watch: ServerWatch, execution_id: str) -> str:
    """The server's log file, which has more lines than its events, or else those."""
    place = watch.place
    if place.host is None:
        path = log_dir(place.config, place.port) / f"{execution_id}.log"
        parts = [part.read_text(encoding="utf-8", errors="replace") for part in log_paths(path)]
        if parts:
            return "".join(parts)
    if watch.client is not None:
        return "".join(map(format_line, watch.client.client.logs(execution_id)))
    events = _stored(watch).execution(execution_id).events
    return "".join(format_line(event) for event in events if isinstance(event, LogLine))


async def _closing(pieces: AsyncIterator[bytes], stack: contextlib.AsyncExitStack) -> AsyncIterator[bytes]:
    async with stack:
        async for piece in pieces:
            yield piece


async def _limited_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BODY:
            raise RequestRefusedError(ErrorCode.INVALID, f"an action has at most {_MOST_BODY:,} bytes")
    return bytes(body)


def _whole(text: str, most: int) -> int | None:
    """Return a number from 1 to ``most``; None if it is something else."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(most)) else 0
    return number if 1 <= number <= most else None


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _error(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status)
