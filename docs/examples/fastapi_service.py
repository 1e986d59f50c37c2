"""A web service whose work goes on when it is restarted.

    uvicorn fastapi_service:app --timeout-graceful-shutdown 2

At Ctrl-C, uvicorn waits until all responses have ended, which for server-sent events is when the render ends; with
the option it waits 2 seconds. A browser goes on where it was when the service is back.

POST /renders {"frames": 20}        start; answers with the id
GET /renders/ID                     how far it is
GET /renders/ID/events              server-sent events; resumed with Last-Event-ID
DELETE /renders/ID                  cancel
GET /renders/ID/file                download what was made
"""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from zmqruntime import LogLine, ProgressUpdate, RequestRefusedError
from zmqruntime.execution import Executor, TaskFuture, track
from zmqruntime.messages import Event, StateChange


def render(frames: int, seconds: float) -> str:
    """Make a text, frame by frame; runs in a worker process of the background server, which keeps what it returns."""
    lines = []
    for frame in track(range(frames), "frames"):
        time.sleep(seconds)
        lines.append(f"frame {frame}\n")
    return "".join(lines)


class Render(BaseModel):
    """What a client asks for."""

    frames: int = Field(ge=1, le=10_000)
    seconds: float = Field(default=0.05, ge=0, le=10)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect to the server of the executor; what is running there goes on when this service ends."""
    app.state.executor = Executor("renders", max_workers=2)
    yield
    await run_in_threadpool(app.state.executor.shutdown, wait=False)


app = FastAPI(lifespan=lifespan)


async def found(render_id: str) -> TaskFuture[str]:
    """The future of a render, of this or of an earlier run of the service."""
    try:
        future: TaskFuture[str] = await run_in_threadpool(app.state.executor.future, render_id)
    except RequestRefusedError as error:
        raise HTTPException(404, str(error)) from error
    return future


@app.post("/renders", status_code=202)
async def start(wanted: Render) -> dict[str, str]:
    """Start a render: it is on disk when the answer is sent."""
    future = await run_in_threadpool(app.state.executor.submit, render, wanted.frames, wanted.seconds)
    return {"id": future.execution_id}


@app.get("/renders/{render_id}")
async def status(render_id: str) -> dict[str, Any]:
    """How a render is."""
    snapshot = await run_in_threadpool((await found(render_id)).snapshot)
    return {"id": render_id, "status": snapshot.status.value, "error": snapshot.error}


@app.get("/renders/{render_id}/events")
async def events(render_id: str, last_event_id: Annotated[int, Header(ge=0)] = 0) -> StreamingResponse:
    """Progress, log lines and changes of state as server-sent events, after the last one that the client has."""
    future = await found(render_id)

    async def messages() -> AsyncIterator[str]:
        async for event in future.events(after=last_event_id):
            kind, data = told(event)
            yield f"id: {event.number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"

    return StreamingResponse(messages(), media_type="text/event-stream")


def told(event: Event) -> tuple[str, dict[str, Any]]:
    """The name and the content of an event for the browser."""
    match event:
        case ProgressUpdate():
            return "progress", {"percent": event.percent, "done": event.completed, "total": event.total}
        case LogLine():
            return "line", {"level": event.level.value, "text": event.text}
        case StateChange(execution=execution):
            return "state", {"status": execution.status.value, "error": execution.error}


@app.delete("/renders/{render_id}", status_code=202)
async def cancel(render_id: str) -> dict[str, bool]:
    """Stop a render, queued or running."""
    future = await found(render_id)
    snapshot = await run_in_threadpool(future.snapshot)
    if snapshot.ended_at is not None:
        raise HTTPException(409, f"the render is {snapshot.status} already")
    return {"cancelled": await run_in_threadpool(future.cancel)}


@app.get("/renders/{render_id}/file")
async def file(render_id: str) -> PlainTextResponse:
    """What a render has made, when it is complete."""
    future = await found(render_id)
    snapshot = await run_in_threadpool(future.snapshot)
    if snapshot.status != "complete":
        raise HTTPException(409, f"the render is {snapshot.status}")
    headers = {"Content-Disposition": "attachment; filename=render.txt"}
    return PlainTextResponse(await future, headers=headers)
