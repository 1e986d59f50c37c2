"""A worker in a thread of the server's process, for trusted tasks, or tasks that need objects of that process."""

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from zmqruntime.codec import encode
from zmqruntime.config import ZMQConfig
from zmqruntime.execution.events.worker_messages import (
    NOTHING,
    Assign,
    Finished,
    FromWorker,
    KeepCheckpoint,
    Outcome,
    TaskReports,
    TaskReportsRaw,
)
from zmqruntime.execution.tasks.logging import TaskLogHandler
from zmqruntime.execution.tasks.task import Task, is_current
from zmqruntime.execution.workers.pool import WorkerHandle, WorkerPool, WorkerState
from zmqruntime.execution.workers.task_run import TaskRun
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import ExecuteRequest

__all__ = ["ThreadWorker"]

_ROOM = 64


class ThreadWorker(WorkerHandle):
    """Runs one task after the other in a thread of this process.

    A separate loop owns the sockets of the task hubs, so that cancel requests and messages of joined processes are
    still delivered while the server's loop is shutting down and waiting for the tasks.

    Args:
        pool: The pool it belongs to.
        execute_task: The server's method.
        config: Configuration of the server.
        stop_seconds: How long a task that was asked to stop may delay the end of the server, in seconds.
    """

    def __init__(
        self,
        pool: WorkerPool,
        execute_task: Callable[[str, ExecuteRequest], Any],
        config: ZMQConfig,
        stop_seconds: float,
    ) -> None:
        super().__init__(pool, None)
        self._execute_task = execute_task
        self._config = config
        self._stop_seconds = stop_seconds
        self._deadline = 0.0
        self._inbox: queue.SimpleQueue[TaskRun | None] = queue.SimpleQueue()
        self._said: deque[FromWorker] = deque()
        self._wants_room = False
        self._is_paused = False
        self._has_overrun = False
        self._run: TaskRun | None = None
        self._loop = SocketLoop("task-hub")
        self._loop.at_end = self._close_run
        self._loop.start()
        self._thread = threading.Thread(target=self._work, name="task", daemon=True)
        self._thread.start()
        self.state = WorkerState.IDLE

    # --- on the thread of the server's loop ----------------------------------------------------------------------

    def pause(self) -> None:
        """Leave its messages in its queue."""
        self._is_paused = True

    def resume(self) -> None:
        """Receive its messages again."""
        self._is_paused = False
        self._take()

    def kill(self) -> None:
        """Ask the task to stop, since a thread cannot be killed; the task counts as failed, however it ends."""
        self._has_overrun = True
        self.cancel(None)

    def end(self) -> None:
        """Ask the task to stop, and let the thread end after it."""
        self._deadline = time.monotonic() + self._stop_seconds
        if self.state is WorkerState.BUSY:
            self.cancel(None)
        self._inbox.put(None)

    def join(self) -> None:
        """Wait for the thread until the deadline; a task that does not stop is abandoned and its messages ignored."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        self._loop.stop()
        self._loop.join()
        self._take()

    def _give(self, assign: Assign) -> bytes:
        self._has_overrun = False
        self._run = TaskRun(self._loop, assign, self._say, self._may_say, self._config)
        self._inbox.put(self._run)
        return b""

    def _pass_on(self, axis_id: str | None) -> None:
        if self._run is not None:
            self._run.hub.request_cancel(axis_id)

    def _take(self) -> None:
        """Handle waiting messages."""
        while self._said and not self._is_paused:
            message = self._said.popleft()
            if isinstance(message, Finished):
                self._run = None
                if self._has_overrun:
                    message = msgspec.structs.replace(
                        message, outcome=Outcome.FAILED, result=NOTHING, result_bytes=None
                    )
            self._hear(message)
        run = self._run
        if self._wants_room and not self._is_paused and run is not None:
            self._wants_room = False
            self._loop.call_soon(run.hub.flush)

    # --- on the thread of the tasks ------------------------------------------------------------------------------

    def _work(self) -> None:
        while (run := self._inbox.get()) is not None:
            self._run_task(run)
            del run  # an idle thread must not keep its last task alive

    def _run_task(self, run: TaskRun) -> None:
        began = time.thread_time()
        with _logged(run.hub.task):
            finished = run.execute(self._execute_task)
        finished = msgspec.structs.replace(finished, cpu_seconds=time.thread_time() - began)

        def finish() -> None:
            run.close()
            self._put(finished)

        self._loop.call_soon(finish)

    # --- on the thread of its own loop ---------------------------------------------------------------------------

    def _say(self, message: TaskReports | KeepCheckpoint) -> None:
        if isinstance(message, TaskReports):
            packed = [msgspec.Raw(encode(report)) for report in message.reports]
            self._put(
                TaskReportsRaw(
                    execution_id=message.execution_id,
                    attempt=message.attempt,
                    reports=packed,
                    progress_count=message.progress_count,
                    log_count=message.log_count,
                )
            )
        else:
            self._put(message)

    def _may_say(self) -> bool:
        # In this order, so that a consumer that makes room in between sees that room is wanted.
        self._wants_room = True
        if len(self._said) >= _ROOM:
            return False
        self._wants_room = False
        return True

    def _put(self, message: FromWorker) -> None:
        self._said.append(message)
        self._pool.loop.call_soon(self._take)

    def _close_run(self) -> None:
        """Abandon a task that did not stop in time: it keeps running, but its messages are ignored."""
        run = self._run
        if run is not None:
            run.close()


@contextlib.contextmanager
def _logged(task: Task) -> Iterator[None]:
    """Within the block, also send records that are logged in the context of the task to its log."""
    handler = TaskLogHandler(task.send_line)
    handler.addFilter(lambda record: is_current(task))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
