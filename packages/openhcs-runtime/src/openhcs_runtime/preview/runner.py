"""Runs previews one after the other, in the process that keeps what they have made."""

import contextlib
import dataclasses
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator

from openhcs_runtime.engine.devices.choice import devices_for
from openhcs_runtime.engine.devices.local_slots import LocalSlots
from openhcs_runtime.engine.devices.source import slots_from
from openhcs_runtime.engine.printing import end_printed_lines
from openhcs_runtime.exceptions import OpenHCSError, PipelineError
from openhcs_runtime.limits import available_bytes, available_cores
from openhcs_runtime.pipeline.neighbour_modules import forget, importable
from openhcs_runtime.pipeline.process_state import process_keeper
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.preview.compiled import PlaceCompiler
from openhcs_runtime.preview.problems import problem_of_pipeline
from openhcs_runtime.preview.store import StateStore
from openhcs_runtime.preview.values import PreviewProblem, PreviewRequest, PreviewResult
from openhcs_runtime.preview.well import OnStep, PreviewWell
from openhcs_runtime.text import error_text, writable
from zmqruntime.execution import Task, TaskCancelled, local_task
from zmqruntime.messages import LogLine

__all__ = ["PreviewRunner", "default_store_bytes"]

_MOST_LINES = 50
_SHARE = 8
_MOST_STORE_BYTES = 1 << 30


def default_store_bytes() -> int:
    """Return how many bytes of results a preview process keeps: an eighth of the free memory, at most 1 GiB."""
    return min(_MOST_STORE_BYTES, available_bytes() // _SHARE)


class PreviewRunner:
    """Runs previews in this process; ``run`` on one thread, ``cancel`` on any.

    Args:
        on_step: called with each step that is begun.
        store_bytes: limit of what is kept [default: ``default_store_bytes``].
    """

    def __init__(self, on_step: OnStep = lambda name: None, store_bytes: int | None = None) -> None:
        self._on_step = on_step
        self._store = StateStore(default_store_bytes() if store_bytes is None else store_bytes)
        self._compiler = PlaceCompiler()
        self._folder = ""
        self._lock = threading.Lock()
        self._task: Task | None = None

    def run(self, request: PreviewRequest, is_cancelled: Callable[[], bool] = lambda: False) -> PreviewResult | None:
        """Return the result; None if it was cancelled. A failure is part of the result.

        Args:
            request: what to do.
            is_cancelled: returns whether ``cancel`` was called before this preview began.
        """
        started = time.monotonic()
        printed: deque[str] = deque(maxlen=_MOST_LINES)

        def hear(event: object) -> None:
            if isinstance(event, LogLine):
                printed.append(event.text)

        try:
            with local_task(hear, plate_id=request.plate_path) as task, self._current(task):
                if is_cancelled():
                    return None
                result = self._run(request, task)
        except TaskCancelled:
            return None
        return dataclasses.replace(result, seconds=time.monotonic() - started, printed=tuple(printed))

    def cancel(self) -> None:
        """Ask the current preview to end at the next step or pattern group."""
        with self._lock:
            if self._task is not None:
                self._task.request_cancel()

    @contextlib.contextmanager
    def _current(self, task: Task) -> Iterator[None]:
        with self._lock:
            self._task = task
        try:
            yield
        finally:
            with self._lock:
                self._task = None

    def _run(self, request: PreviewRequest, task: Task) -> PreviewResult:
        if request.pipeline_folder != self._folder:  # modules of the same name may be in both
            forget(self._folder)
            self._folder = request.pipeline_folder
        with importable(request.pipeline_folder), task.axis(request.well), read_recorder().active(), process_keeper:
            try:
                return self._preview(request)
            except PipelineError as error:
                return PreviewResult(problem=problem_of_pipeline(error))
            except OpenHCSError as error:
                return PreviewResult(problem=PreviewProblem(writable(str(error))))
            except TaskCancelled:
                raise
            except Exception as error:  # noqa: BLE001  the user's modules may raise anything when they are loaded
                details = writable("".join(traceback.format_exception(error)))
                return PreviewResult(problem=PreviewProblem(f"the preview failed: {error_text(error)}", 0, details))
            finally:
                end_printed_lines()

    def _preview(self, request: PreviewRequest) -> PreviewResult:
        place = self._compiler.compile(request)
        slots = LocalSlots(devices_for(place.job.steps, place.gpus), available_cores())
        with slots_from(slots):
            return PreviewWell(request, place, self._store, self._on_step).run()
