"""A web service whose work goes on when it is restarted: uvicorn fastapi_service:app

POST /renders {"frames": 20}        start; answers with the id
GET /renders/ID                     how far it is
GET /renders/ID/events              server-sent events; resumed with Last-Event-ID
DELETE /renders/ID                  cancel
GET /renders/ID/file                download what was made
"""

import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from zmqruntime import LogLine, ProgressUpdate, RequestRefusedError
from zmqruntime.execution import Executor, TaskFuture, track
from zmqruntime.messages import Event, StateChange


def render(frames: int, seconds: float) -> Path:
    """Make a file, frame by frame; runs in a worker process of the background server."""
    with tempfile.NamedTemporaryFile("w", prefix="render-", suffix=".txt", delete=False) as file:
        for frame in track(range(frames), "frames"):
            time.sleep(seconds)
            file.write(f"frame {frame}\n")
    return Path(file.name)


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


async def found(render_id: str) -> TaskFuture[Path]:
    """The future of a render, of this or of an earlier run of the service."""
    try:
        future: TaskFuture[Path] = await run_in_threadpool(app.state.executor.future, render_id)
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
    return {"cancelled": await run_in_threadpool((await found(render_id)).cancel)}


@app.get("/renders/{render_id}/file")
async def file(render_id: str) -> FileResponse:
    """What a render has made, when it is complete."""
    future = await found(render_id)
    snapshot = await run_in_threadpool(future.snapshot)
    if snapshot.status != "complete":
        raise HTTPException(409, f"the render is {snapshot.status}")
    return FileResponse(await future, media_type="text/plain", filename="render.txt")
