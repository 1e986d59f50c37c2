"""Tries each edit of a pipeline on the shown place; the newest edit wins."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_gui_services.services.images.source import ImagePlace
from openhcs_gui_services.services.tuning.values import Computing, TuningEvent, TuningRequest, TuningResult

if TYPE_CHECKING:
    from openhcs_runtime.preview import PreviewClient, PreviewResult

__all__ = ["Tuner"]

_DEBOUNCE_SECONDS = 0.08
_NOTICED_SECONDS = 0.15
_MOST_BEFORE = 4
"""Results of the pipeline that is compared with, each with label images of a place."""


class Tuner:
    """Owns the preview process of a window, which starts with the first request.

    Used on the thread of one event loop.

    Args:
        on_event: called with what is new about the newest request.
        client: makes the previews [default: one of its own].
        debounce_seconds: how long an edit waits for another one.
    """

    def __init__(
        self,
        on_event: Callable[[TuningEvent], None],
        client: "PreviewClient | None" = None,
        *,
        debounce_seconds: float = _DEBOUNCE_SECONDS,
    ) -> None:
        self._on_event = on_event
        self._client = client
        self._debounce = debounce_seconds
        self._task: asyncio.Task[None] | None = None
        self._before: OrderedDict[tuple[object, ...], PreviewResult] = OrderedDict()

    @property
    def pids(self) -> tuple[int, ...]:
        """Ids of the preview processes."""
        return () if self._client is None else self._client.pids()

    def ask(self, request: TuningRequest) -> None:
        """Try a pipeline; an older request is dropped, and nothing more is told about it."""
        self.drop()
        self._task = asyncio.get_running_loop().create_task(self._work(request), name="Preview")
        self._task.add_done_callback(_raise_error)

    def drop(self) -> None:
        """Drop the current request."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def close(self) -> None:
        """End the preview process and wait until it has ended."""
        self.drop()
        client, self._client = self._client, None
        if client is not None:
            await asyncio.get_running_loop().run_in_executor(None, client.close)

    async def _work(self, request: TuningRequest) -> None:
        await asyncio.sleep(self._debounce)
        noticed = asyncio.get_running_loop().call_later(_NOTICED_SECONDS, self._on_event, Computing(request))
        try:
            found: dict[ImagePlace, PreviewResult] = {}
            for place in request.places:
                found[place] = await self._preview(request, request.pipeline, place)
                noticed.cancel()
                self._on_event(TuningResult(request, place, found[place], self._known_before(request, place)))
            if request.before not in ("", request.pipeline):
                await self._compare(request, found)
        finally:
            noticed.cancel()

    async def _compare(self, request: TuningRequest, found: "dict[ImagePlace, PreviewResult]") -> None:
        """Compute what is compared with, after what was edited."""
        for place, after in found.items():
            if self._known_before(request, place) is None:
                self._before[_key(request, place)] = await self._preview(request, request.before, place)
                while len(self._before) > _MOST_BEFORE:
                    self._before.popitem(last=False)
                self._on_event(TuningResult(request, place, after, self._known_before(request, place)))

    def _known_before(self, request: TuningRequest, place: ImagePlace) -> "PreviewResult | None":
        return None if request.before in ("", request.pipeline) else self._before.get(_key(request, place))

    async def _preview(self, request: TuningRequest, pipeline: str, place: ImagePlace) -> "PreviewResult":
        # Loads NumPy, which the window does without until it shows images.
        from openhcs_runtime.preview import PreviewClient, PreviewRequest  # noqa: PLC0415

        if self._client is None:
            self._client = PreviewClient()
        file = Path(request.pipeline_file) if request.pipeline_file else None
        return await asyncio.wrap_future(
            self._client.ask(
                PreviewRequest(
                    plate_path=request.source.path,
                    pattern=request.source.pattern,
                    plate_format=request.source.plate_format,
                    pages=request.source.pages,
                    pipeline=pipeline,
                    pipeline_name="pipeline.py" if file is None else file.name,
                    pipeline_folder="" if file is None else str(file.parent),
                    well=place.well,
                    site=place.site,
                    z_index=place.z_index,
                    timepoint=place.timepoint,
                    channel=request.channel,
                    image_after=request.image_after,
                )
            )
        )


def _key(request: TuningRequest, place: ImagePlace) -> tuple[object, ...]:
    return request.source, request.before, request.pipeline_file, place, request.image_after, request.channel


def _raise_error(task: "asyncio.Task[None]") -> None:
    """Report an error of the code itself to the handler of the loop; those of pipelines are results."""
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
