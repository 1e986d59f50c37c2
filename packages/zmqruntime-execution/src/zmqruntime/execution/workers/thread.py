"""A worker that is a thread of the server's process: for tasks that are trusted, or that need what the process has."""

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
from zmqruntime.execution.task.logging import TaskLogHandler
from zmqruntime.execution.task.task import Task, is_current
from zmqruntime.execution.workers.pool import WorkerHandle, WorkerPool, WorkerState
from zmqruntime.execution.workers.task_run import TaskRun
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import ExecuteRequest

__all__ = ["ThreadWorker"]

_ROOM = 64


class ThreadWorker(WorkerHandle):
    """Runs one task after the other in a thread of this process.

    A loop of its own owns the sockets of their hubs, so that tasks hear a cancel, and other processes that joined
    them are heard, while the server's loop is ending and waits for them.

    Args:
        pool: whose worker it is.
        execute_task: the server's method.
        config: the server's.
        stop_seconds: how long a task that was asked to stop may hold up the end of the server.
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
        """Leave what it says on its side."""
        self._is_paused = True

    def resume(self) -> None:
        """Listen again."""
        self._is_paused = False
        self._take()

    def kill(self) -> None:
        """Ask the task to stop, since a thread cannot be ended from outside; however it ends then, it has failed."""
        self._has_overrun = True
        self.cancel(None)

    def end(self) -> None:
        """Let the thread end after its task, which is asked to stop."""
        self._deadline = time.monotonic() + self._stop_seconds
        if self.state is WorkerState.BUSY:
            self.cancel(None)
        self._inbox.put(None)

    def join(self) -> None:
        """Wait for the thread, but not for ever: a task that does not stop is left behind, and heard no more."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        self._loop.stop()
        self._loop.join()
        self._take()

    def _give(self, assign: Assign) -> None:
        self._has_overrun = False
        self._run = TaskRun(self._loop, assign, self._say, self._may_say, self._config)
        self._inbox.put(self._run)

    def _pass_on(self, axis_id: str | None) -> None:
        if self._run is not None:
            self._run.hub.request_cancel(axis_id)

    def _take(self) -> None:
        """Hear what was said."""
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
            del run  # an idle thread keeps nothing of its last task

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
        # In this order: what makes room in between has seen that some is wanted.
        self._wants_room = True
        if len(self._said) >= _ROOM:
            return False
        self._wants_room = False
        return True

    def _put(self, message: FromWorker) -> None:
        self._said.append(message)
        self._pool.loop.call_soon(self._take)

    def _close_run(self) -> None:
        """The task did not stop in time: it goes on, but nothing that it says is heard any more."""
        run = self._run
        if run is not None:
            run.close()


@contextlib.contextmanager
def _logged(task: Task) -> Iterator[None]:
    """In the block, what is logged in the context of the task goes to its log, apart from wherever else it goes."""
    handler = TaskLogHandler(task.send_line)
    handler.addFilter(lambda record: is_current(task))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
