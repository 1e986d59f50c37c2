"""Which queued execution may start next: dependencies, named queues, limits and resources brought together."""

from collections import Counter
from collections.abc import Callable

from zmqruntime.execution.server.dependencies import Dependencies
from zmqruntime.execution.server.gates import QUEUE, RATE, Gates, machine_resources
from zmqruntime.execution.server.lanes import Barrier
from zmqruntime.execution.server.named_queues import MOST_QUEUES, NamedQueues
from zmqruntime.execution.server.queue import Backlog
from zmqruntime.execution.server.rates import Rates
from zmqruntime.execution.server.record import Record
from zmqruntime.execution.server.store import Store
from zmqruntime.execution.server.unmet import unknown_dependency
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import ErrorCode, ErrorResponse, ExecuteRequest, ExecutionStatus, QueueState

__all__ = ["Admission"]

Refusal = tuple[ErrorCode, str]


class Admission:
    """Decides what may start and says why the rest may not; on the thread of the server's loop.

    Args:
        store: The database.
        find: Returns an execution, open or ended, or None.
        resources: What the server has besides memory and threads, or instead of what the machine has of those.
    """

    def __init__(
        self, store: Store, find: Callable[[str], Record | None], resources: dict[str, float] | None = None
    ) -> None:
        self.backlog = Backlog()
        self.queues = NamedQueues(store.queue_rows(), store.write)
        self.rates = Rates(store.rate_rows(), store.write)
        self.gates = Gates({**machine_resources(), **(resources or {})}, self.queues, self.rates)
        self.dependencies = Dependencies(find, store.kept_dependencies(), store.write)
        self.loop: SocketLoop | None = None
        """Wakes executions whose rate allows a start; without it, they are tried again when others end."""
        self._open: Counter[str] = Counter()
        self._rate_timers: set[Barrier] = set()

    # --- executions come and go ----------------------------------------------------------------------------------

    def add(self, record: Record) -> None:
        """Add an open execution, without queueing it."""
        self._open[record.queue] += 1
        self.dependencies.add(record)

    def enqueue(self, record: Record) -> None:
        """Let a queued execution wait for its turn."""
        is_held = record.held or self.dependencies.is_waiting(record.execution_id)
        lane = record.lane
        self.backlog.add(record.execution_id, record.priority, record.rank, record.number, is_held, lane)

    def set_held(self, record: Record) -> None:
        """Hold or release an execution in the backlog, as its record says."""
        if record.held:
            self.backlog.hold(record.execution_id)
        elif not self.dependencies.is_waiting(record.execution_id):
            self.backlog.release(record.execution_id)

    def start(self, record: Record) -> None:
        """Count an execution that starts."""
        self.gates.note_start(record)

    def stop(self, execution_id: str) -> None:
        """Count an execution that runs no more; does nothing if it did not run."""
        for kind, key in self.gates.note_stop(execution_id):
            self.backlog.note_opened(kind, key)

    def end(self, record: Record, find_open: Callable[[str], Record | None]) -> None:
        """Note that an execution has ended, and release those that depend on it."""
        self._count_down(record.queue)
        for execution_id in self.dependencies.end(record):
            dependent = find_open(execution_id)
            if dependent is not None and not dependent.held and execution_id in self.backlog:
                self.backlog.release(execution_id)

    def drop(self, record: Record) -> None:
        """Forget an execution that was never accepted."""
        self.backlog.remove(record.execution_id)
        self.stop(record.execution_id)
        self._count_down(record.queue)
        self.dependencies.remove(record)

    def _count_down(self, queue: str) -> None:
        self._open[queue] -= 1
        if not self._open[queue]:
            del self._open[queue]

    # --- who is next ---------------------------------------------------------------------------------------------

    def next_one(self, find_open: Callable[[str], Record]) -> Record | None:
        """Return the first execution that may start; those before it that may not wait for what keeps them."""
        while (first := self.backlog.first()) is not None:
            lane, execution_id = first
            record = find_open(execution_id)
            barrier = self.gates.barrier(record)
            if barrier is None:
                return record
            self.backlog.stop_at(lane, barrier)
            if barrier.kind == RATE:
                self._wake_later(record, barrier)
        return None

    def _wake_later(self, record: Record, barrier: Barrier) -> None:
        rate = record.needs.rate
        if self.loop is None or rate is None or barrier in self._rate_timers:
            return
        self._rate_timers.add(barrier)

        def wake() -> None:
            self._rate_timers.discard(barrier)
            self.backlog.note_opened(barrier.kind, barrier.key)

        self.loop.call_later(self.rates.seconds_until_start(rate), wake)

    def waits_for(self, record: Record, paused: bool, *, is_busy: bool = False) -> str | None:
        """Return why a queued execution cannot start, as a short text; None if it is about to.

        Args:
            record: The execution.
            paused: Whether the whole server is paused.
            is_busy: Whether all workers are running executions.
        """
        if record.status is not ExecutionStatus.QUEUED:
            return None
        if record.held:
            return "release"
        others = self.dependencies.pending(record.execution_id)
        if others:
            return f"{others} other{'s' if others > 1 else ''} first"
        if record.execution_id not in self.backlog:
            return "retry"
        if paused:
            return "queue paused"
        barrier = self.gates.barrier(record)
        if barrier is not None:
            return self.gates.text(record, barrier)
        return "a worker" if is_busy else None

    # --- queues --------------------------------------------------------------------------------------------------

    def pause_queue(self, name: str, paused: bool) -> None:
        """Pause a named queue or let it run again."""
        self.queues.pause(name, paused)
        self.backlog.note_opened(QUEUE, name)

    def limit_queue(self, name: str, limit: int | None) -> None:
        """Limit how many executions of a named queue run at once."""
        self.queues.limit(name, limit)
        self.backlog.note_opened(QUEUE, name)

    def queue_states(self) -> list[QueueState]:
        """Return the queues that have executions or settings, by name."""
        return [self._queue_state(name) for name in sorted(self._open.keys() | self.queues.names)]

    def _queue_state(self, name: str) -> QueueState:
        settings, running = self.queues[name], self.gates.running[name]
        return QueueState(
            name=name,
            paused=settings.paused,
            limit=settings.limit,
            queued=max(0, self._open[name] - running),
            running=running,
        )

    # --- submissions ---------------------------------------------------------------------------------------------

    def refusal(self, requests: list[ExecuteRequest]) -> ErrorResponse | None:
        """Return why new submissions cannot be accepted, or None.

        Raises:
            StoreError: An execution that one depends on cannot be read.
        """
        new_queues = {request.queue for request in requests} - self._open.keys()
        if new_queues and len(self._open) + len(new_queues) > MOST_QUEUES:
            text = f"{MOST_QUEUES} queues with executions are the maximum: use fewer different names"
            return ErrorResponse(code=ErrorCode.QUEUE_FULL, message=text)
        earlier: set[str] = set()
        edges = 0
        for request in requests:
            edges += len(request.after)
            problem = self._problem_of(request, earlier)
            if problem is not None:
                code, text = problem
                return ErrorResponse(code=code, message=f"submission {request.submission_id}: {text}")
            earlier.add(request.submission_id)
        if edges and not self.dependencies.has_room_for(edges):
            text = "the queued executions have too many dependencies already: submit again later"
            return ErrorResponse(code=ErrorCode.QUEUE_FULL, message=text)
        return None

    def _problem_of(self, request: ExecuteRequest, earlier: set[str]) -> Refusal | None:
        for needed in request.after:
            if needed not in earlier and not self.dependencies.knows(needed):
                return ErrorCode.NOT_FOUND, unknown_dependency(needed)
        unmet = self.gates.unmet(request.resources) if request.resources else None
        if unmet is not None:
            return ErrorCode.INVALID, unmet
        if request.rate is not None and self.rates.is_full(request.rate.key):
            return ErrorCode.QUEUE_FULL, "too many rate keys are in use: use fewer different keys"
        return None
