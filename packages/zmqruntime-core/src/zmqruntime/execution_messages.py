"""Messages between execution servers and their clients."""

import enum
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta

from zmqruntime.base_messages import (
    Count,
    ErrorResponse,
    Farewell,
    Heartbeat,
    Message,
    OkResponse,
    Percent,
    PingRequest,
    PongResponse,
    PositiveSeconds,
    Seconds,
    Sequence,
    ShutdownRequest,
)
from zmqruntime.compat import Mapped
from zmqruntime.environment import TaskEnvironment
from zmqruntime.execution_needs import Concurrency, QueueName, QueueState, Rate, Resources, Schedule, ScheduleName
from zmqruntime.vocabulary import Vocabulary


class ControlMessageType(enum.StrEnum):
    """Types of requests on the control channel."""

    PING = "ping"
    SHUTDOWN = "shutdown"
    EXECUTE = "execute"
    STATUS = "status"
    CANCEL = "cancel"
    CANCEL_MANY = "cancel_many"
    EVENTS = "events"
    POSITIONS = "positions"
    SUBMISSION = "submission"
    BATCH = "batch"
    QUEUE = "queue"
    HISTORY = "history"
    RESULT = "result"
    FIND = "find"
    SCHEDULE = "schedule"
    SCHEDULES = "schedules"
    UNSCHEDULE = "unschedule"


class ResponseType(enum.StrEnum):
    """Types of replies on the control channel."""

    PONG = "pong"
    OK = "ok"
    ERROR = "error"
    ACCEPTED = "accepted"
    STATUS = "status_report"
    CANCEL = "cancel_report"
    CANCEL_MANY = "cancel_many_report"
    EVENTS = "event_report"
    POSITIONS = "position_report"
    SUBMISSION = "submission_report"
    BATCH = "batch_accepted"
    QUEUE = "queue_report"
    RESULT = "result_report"
    FIND = "find_report"
    SCHEDULES = "schedule_report"


class ExecutionStatus(enum.StrEnum):
    """Status of an execution; ``zmqruntime.execution.lifecycle`` defines the legal transitions."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_working(self) -> bool:
        """Whether a worker may be working on the execution."""
        return self in (ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING)


class ProgressPhase(enum.StrEnum):
    """The part of a task that a progress update refers to."""

    INIT = "init"
    COMPILE = "compile"
    AXIS_STARTED = "axis_started"
    STEP_STARTED = "step_started"
    PATTERN_GROUP = "pattern_group"
    STEP_COMPLETED = "step_completed"
    AXIS_COMPLETED = "axis_completed"


class ProgressStatus(enum.StrEnum):
    """Status of the part of a task that a progress update refers to."""

    STARTED = "started"
    RUNNING = "running"
    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"


class LogLevel(enum.StrEnum):
    """Levels of log lines, as in :mod:`logging`."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


# --- events of an execution ---------------------------------------------------------------------------------------


class ProgressUpdate(Message, frozen=True, kw_only=True, tag="progress"):
    """Progress of one step of one axis.

    ``completed`` and ``total`` are in units of the phase (pattern groups of a step, steps of an axis); ``timestamp`` is
    in seconds since the epoch; ``sequence`` counts the updates of one execution from 1 without gaps, and is 0 until the
    receiver of an update has numbered it; ``worker`` is the id of the reporting process on its machine. ``number`` is
    its number among all events of the execution, see :class:`EventBatch`.
    """

    earlier_names: ClassVar[dict[str, str]] = {"well_id": "axis_id", "step": "step_name", "plate_path": "plate_id"}

    execution_id: str
    plate_id: str
    axis_id: str
    step_name: str
    step_index: Count
    total_steps: Count
    phase: ProgressPhase
    status: ProgressStatus
    completed: Count
    total: Count
    percent: Percent
    timestamp: float
    sequence: Sequence = 0
    pattern: str | None = None
    component: str | None = None
    message: str | None = None
    error: str | None = None
    traceback: str | None = None
    worker: Count | None = None
    number: Count = 0


class LogLine(Message, frozen=True, kw_only=True, tag="log"):
    """One line that a task logged or printed; ``sequence`` counts the lines of one execution from 1.

    ``axis_id`` is the axis that was being processed; empty for the task as a whole, or if the axis is unknown.
    ``number`` is its number among all events of the execution, see :class:`EventBatch`.
    """

    execution_id: str
    sequence: Sequence
    timestamp: float
    level: LogLevel
    logger: str
    text: str
    axis_id: str = ""
    number: Count = 0


class ExecutionSnapshot(Mapped, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """State of one execution; can also be read like a mapping.

    Times are in seconds since the epoch, None if not reached yet.
    """

    execution_id: str
    plate_id: str
    status: ExecutionStatus
    submitted_at: float
    started_at: float | None = None
    ended_at: float | None = None
    error: str | None = None
    traceback: str | None = None
    result: Any = None
    """Return value of the task; None until the execution is complete, in lists, and if it is too long to include."""
    result_bytes: Count | None = None
    """Length of the encoded result; None if there is none. Fetch one of more than 64 KiB with ``result``."""
    event_count: Count = 0
    """Number of events when this snapshot was taken; later events have higher numbers."""
    queue_position: int | None = None
    """0 for the next to run; None unless queued."""
    held: bool = False
    """Whether it stays in the queue until it is released."""
    attempts: Count = 0
    """How many times it was started."""
    resumable: bool = False
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    run_seconds: float | None = None
    """Duration of the last run, by a monotonic clock; None until it has ended, or if the server ended first."""
    name: str = ""
    """Label of the task, such as the name of a function."""
    queue: str = "default"
    """Name of its queue."""
    waits_for: str | None = None
    """Why it cannot start, such as ``2 others first``, ``gpu``, ``rate``, ``queue paused`` or ``a worker``; None if it
    is about to start, if it is not queued, and in events."""

    def to_dict(self) -> dict[str, Any]:
        """Return the snapshot as plain dicts, lists, strings and numbers.

        Bytes, and values of functions that MessagePack has no notation for, stay as they are.
        """
        plain: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(bytes, msgspec.msgpack.Ext))
        return plain

    def _repr_html_(self) -> str:
        from zmqruntime.snapshot_html import snapshot_html  # noqa: PLC0415  for notebooks only

        return snapshot_html(self)


class StateChange(Message, frozen=True, kw_only=True, tag="state"):
    """A change of an execution's status; ``sequence`` counts the changes of one execution from 1.

    ``number`` is its number among all events of the execution, see :class:`EventBatch`.
    """

    sequence: Sequence
    timestamp: float
    execution: ExecutionSnapshot
    number: Count = 0


Event = ProgressUpdate | LogLine | StateChange

SubmissionId = Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{8,64}$")]


# --- data channel: frames [topic, message] ------------------------------------------------------------------------


class EventBatch(Message, frozen=True, kw_only=True, tag="event_batch"):
    """The events of one execution numbered ``after + 1`` to ``upto``, in order; the topic is the execution's id.

    If superseded progress was merged, there are fewer events than numbers, and ``numbers`` has the number of each
    event; otherwise it is empty. The field ``number`` of an event is 0 here: the reader of the batch fills it in. An
    empty batch gives the number of the latest event: a subscriber that has seen fewer requests the rest with
    :class:`EventsRequest`.
    """

    execution_id: str
    after: Count
    upto: Count
    events: list[Event]
    numbers: list[Count] = msgspec.field(default_factory=list)


MANY_TOPICS: Final = b"many:"
"""Begins the topic of :class:`EventBatches`; the beginning of the ids follows."""


class EventBatches(Message, frozen=True, kw_only=True, tag="event_batches"):
    """The batches of several executions that were written together, for a client that follows many.

    The topic is ``many:`` and the beginning of their ids. A client whose ids begin alike subscribes to it, and also to
    the beginning alone, for servers of earlier releases; others who follow one of the executions receive its batch by
    itself.
    """

    batches: list[EventBatch]


DataMessage = EventBatch | EventBatches | Heartbeat | Farewell


# --- control channel: requests ------------------------------------------------------------------------------------


class ExecuteRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.EXECUTE.value):
    """Run a task.

    ``submission_id`` becomes the id of the execution; sending the same id again refers to the same execution. The
    client chooses it, so that it can subscribe to the topic before it submits. ``payload`` describes the work: any
    msgpack value that the server's ``execute_task`` understands. ``plate_id`` identifies the data to process.
    """

    may_repeat: ClassVar[bool] = True

    submission_id: SubmissionId
    payload: Any = None
    plate_id: Annotated[str, Meta(max_length=4096)] = ""
    priority: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 0
    soft_time_limit: PositiveSeconds | None = None
    """Seconds after which the task is asked to stop and fails."""
    time_limit: PositiveSeconds | None = None
    """Seconds after which the task is killed and fails."""
    max_retries: Annotated[int, Meta(ge=0, le=1000)] = 0
    """How many times it is tried again after a failure."""
    retry_delay: Seconds = 1.0
    """Delay before the first retry; doubles with each retry."""
    resumable: bool = False
    """Whether it returns to the queue, with its checkpoints, if the server ended while it was running."""
    environment: TaskEnvironment | None = None
    """Environment of the process that runs it; None for the server's own environment."""
    name: Annotated[str, Meta(max_length=200)] = ""
    """Label of the task, such as the name of a function."""
    queue: QueueName = "default"
    """Name of one of the server's queues; any name is a queue, which can be paused and limited."""
    after: Annotated[list[SubmissionId], Meta(max_length=1000)] = msgspec.field(default_factory=list)
    """Ids of executions that must be complete before it starts; if one ends otherwise, it fails. In a batch, they may
    be those of earlier requests."""
    resources: Resources = msgspec.field(default_factory=dict)
    """Amounts of the server's resources that it takes while it runs, such as ``gpu``, ``memory`` (in bytes) and
    ``threads``."""
    concurrency: Concurrency | None = None
    """Limits how many executions with the same key run at once."""
    rate: Rate | None = None
    """Limits how many executions with the same key start in a period."""
    trace: Annotated[str, Meta(max_length=1024)] = ""
    """Context of the trace that it belongs to, a W3C ``traceparent``; the server only passes it on."""


class BatchRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.BATCH.value):
    """Submit several executions, of which either all or none are accepted."""

    may_repeat: ClassVar[bool] = True

    requests: Annotated[list[ExecuteRequest], Meta(min_length=1, max_length=10_000)]


class StatusRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.STATUS.value):
    """Get one execution by its id, or without an id all active ones and the latest ``limit`` that have ended.

    Only the first 200 queued executions are listed; the reply counts all. A list contains neither results nor
    tracebacks: request a single execution for those, and fetch a long result with ``result``.
    """

    may_repeat: ClassVar[bool] = True

    execution_id: str | None = None
    limit: Annotated[int, Meta(ge=0, le=1000)] = 20


class CancelRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.CANCEL.value):
    """Cancel an execution, or only one axis of it with ``axis_id``.

    It is asked to stop, and stops at its next check. With ``grace_seconds`` its processes are killed if they have not
    stopped by then; 0 kills them immediately.
    """

    may_repeat: ClassVar[bool] = True

    execution_id: str
    axis_id: str | None = None
    grace_seconds: Seconds | None = None


class CancelManyRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.CANCEL_MANY.value):
    """Cancel many executions together: no queued one of them starts in the meantime.

    What is running is asked to stop and, with ``grace_seconds``, killed as after ``cancel``; with ``queued_only`` it
    goes on.
    """

    may_repeat: ClassVar[bool] = True

    execution_ids: Annotated[list[str], Meta(min_length=1, max_length=10_000)]
    grace_seconds: Seconds | None = None
    queued_only: bool = False


class EventsRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.EVENTS.value):
    """Get the events of an execution after number ``after``; if the reply has only some of them, ask again."""

    may_repeat: ClassVar[bool] = True

    execution_id: str
    after: Count = 0


class PositionsRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.POSITIONS.value):
    """Get the event counts of these executions, so a reader can see which executions it is missing events from."""

    may_repeat: ClassVar[bool] = True

    execution_ids: Annotated[list[str], Meta(max_length=1000)]


class SubmissionRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.SUBMISSION.value):
    """Get what was submitted for an execution, so that it can be run again."""

    may_repeat: ClassVar[bool] = True

    execution_id: str


class QueueAction(enum.StrEnum):
    """Actions on the queue, or on one execution in it."""

    PAUSE = "pause"
    """Start no further executions; running ones continue."""
    RESUME = "resume"
    """Start executions again."""
    DRAIN = "drain"
    """Accept no further submissions; queued executions still run."""
    MOVE = "move"
    """Move one execution to ``position`` among those of its priority, where 0 is the next to run."""
    HOLD = "hold"
    """Keep one execution in the queue until it is released."""
    RELEASE = "release"
    """Let a held execution run again when its turn comes."""
    LIMIT = "limit"
    """Run at most ``limit`` executions of the named ``queue`` at once; without ``limit``, remove that limit."""


class QueueRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.QUEUE.value):
    """Change the order of the queue, or whether it is running. The change survives a restart.

    ``pause`` and ``resume`` refer to one named ``queue``, or to the server as a whole if it is None; a queue that is
    paused by name stays so until it is resumed by name.
    """

    may_repeat: ClassVar[bool] = True

    action: QueueAction
    execution_id: str | None = None
    position: Count = 0
    queue: QueueName | None = None
    limit: Count | None = None


class HistoryRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.HISTORY.value):
    """List ended executions, newest first, without results and tracebacks, one page at a time.

    ``older_than`` is the id of the last execution on the previous page; ``before`` is the time to start at, in seconds
    since the epoch.
    """

    may_repeat: ClassVar[bool] = True

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    before: float | None = None
    older_than: str | None = None


class ResultRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.RESULT.value):
    """Get a part of the encoded result of an execution, starting at byte ``offset``."""

    may_repeat: ClassVar[bool] = True

    execution_id: str
    offset: Count = 0


class FindRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.FIND.value):
    """Get the ids of a few executions that start with ``prefix``."""

    may_repeat: ClassVar[bool] = True

    prefix: Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{1,64}$")]


class ScheduleRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.SCHEDULE.value):
    """Submit ``request`` again and again: ``every`` so often in seconds, or at the times of a ``cron`` text.

    A schedule of the same name is replaced; an equal one is kept with its next due time. The ``submission_id`` of the
    request is not used: each execution has an id that follows from the name and the due time.
    """

    may_repeat: ClassVar[bool] = True

    name: ScheduleName
    request: ExecuteRequest
    every: Annotated[float, Meta(ge=1, le=366 * 86_400.0)] | None = None
    cron: Annotated[str, Meta(max_length=200)] | None = None
    timezone: Annotated[str, Meta(max_length=64)] | None = None


class SchedulesRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.SCHEDULES.value):
    """List all schedules by name."""

    may_repeat: ClassVar[bool] = True


class UnscheduleRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.UNSCHEDULE.value):
    """Remove a schedule; executions that it has submitted are not affected."""

    name: ScheduleName


Request = (
    PingRequest
    | ShutdownRequest
    | ExecuteRequest
    | StatusRequest
    | CancelRequest
    | CancelManyRequest
    | EventsRequest
    | PositionsRequest
    | SubmissionRequest
    | BatchRequest
    | QueueRequest
    | HistoryRequest
    | ResultRequest
    | FindRequest
    | ScheduleRequest
    | SchedulesRequest
    | UnscheduleRequest
)


class PackedExecuteRequest(ExecuteRequest, frozen=True, kw_only=True, tag=ControlMessageType.EXECUTE.value):
    """An ``ExecuteRequest`` as decoded by a server, which stores the payload without decoding it."""

    payload: msgspec.Raw = msgspec.Raw(b"\xc0")


class PackedBatchRequest(BatchRequest, frozen=True, kw_only=True, tag=ControlMessageType.BATCH.value):
    """A ``BatchRequest`` as decoded by a server."""

    requests: Annotated[list[PackedExecuteRequest], Meta(min_length=1, max_length=10_000)]  # type: ignore[assignment]


class PackedScheduleRequest(ScheduleRequest, frozen=True, kw_only=True, tag=ControlMessageType.SCHEDULE.value):
    """A ``ScheduleRequest`` as decoded by a server."""

    request: PackedExecuteRequest


# --- control channel: responses -----------------------------------------------------------------------------------


class AcceptedResponse(Message, frozen=True, kw_only=True, tag=ResponseType.ACCEPTED.value):
    """The execution is on disk. ``duplicate`` means that its id was already known."""

    is_short: ClassVar[bool] = True

    execution_id: str
    duplicate: bool
    status: ExecutionStatus


class BatchResponse(Message, frozen=True, kw_only=True, tag=ResponseType.BATCH.value):
    """The whole batch is on disk; one entry for each request, in the same order."""

    accepted: list[AcceptedResponse]


class QueueResponse(Message, frozen=True, kw_only=True, tag=ResponseType.QUEUE.value):
    """The current queue: execution ids in the order in which they will run, the first 1,000 of ``count``."""

    paused: bool
    draining: bool
    queued: list[str]
    count: Count = 0
    queues: list[QueueState] = msgspec.field(default_factory=list)
    """The named queues that have executions or settings, by name."""


class StatusResponse(Message, frozen=True, kw_only=True, tag=ResponseType.STATUS.value):
    """The requested executions: first running ones, then queued ones in order, then ended ones, newest first."""

    executions: list[ExecutionSnapshot]
    queued: int
    running: int
    workers: int
    paused: bool = False
    draining: bool = False
    ended: dict[ExecutionStatus, Count] = msgspec.field(default_factory=dict)
    """How many executions have ended in each status since the server was started."""
    more: bool = False
    """Whether there are more executions than the list contains."""
    trouble: str = ""
    """Why nothing is running although executions are queued, if known: for example, no worker can be started."""
    queues: list[QueueState] = msgspec.field(default_factory=list)
    """The named queues that have executions or settings, by name."""
    schedules: list[Schedule] = msgspec.field(default_factory=list)
    """The schedules, by name, the first 100 of them; only in the reply to a request without an id."""


class CancelResponse(Message, frozen=True, kw_only=True, tag=ResponseType.CANCEL.value):
    """The effect of a cancel request. ``status`` is ``ok`` unless the execution had already ended."""

    execution_id: str
    status: str
    execution_status: ExecutionStatus
    message: str


class CancelManyResponse(Message, frozen=True, kw_only=True, tag=ResponseType.CANCEL_MANY.value):
    """The effect of a request to cancel many: how many will not run, will stop, go on, had ended, or are not known."""

    not_run: Count = 0
    stopping: Count = 0
    going_on: Count = 0
    ended: Count = 0
    unknown: Count = 0


class EventsResponse(Message, frozen=True, kw_only=True, tag=ResponseType.EVENTS.value):
    """Stored batches in order, and the total number of events."""

    execution_id: str
    batches: list[EventBatch]
    upto: Count


class PositionsResponse(Message, frozen=True, kw_only=True, tag=ResponseType.POSITIONS.value):
    """The number of the last event of each execution that the server knows; unknown ones are left out."""

    positions: dict[str, Count]


class SubmissionResponse(Message, frozen=True, kw_only=True, tag=ResponseType.SUBMISSION.value):
    """The original request."""

    request: ExecuteRequest


class ResultResponse(Message, frozen=True, kw_only=True, tag=ResponseType.RESULT.value):
    """The bytes from ``offset`` of a result of ``total`` bytes: joined, they are one msgpack value."""

    execution_id: str
    offset: Count
    total: Count
    data: bytes


class FindResponse(Message, frozen=True, kw_only=True, tag=ResponseType.FIND.value):
    """Matching ids in order; ``more`` says whether there are others."""

    execution_ids: list[str]
    more: bool


class SchedulesResponse(Message, frozen=True, kw_only=True, tag=ResponseType.SCHEDULES.value):
    """The schedules that the request was about: all, the new one, or the removed one."""

    schedules: list[Schedule]


Response = (
    PongResponse
    | OkResponse
    | ErrorResponse
    | AcceptedResponse
    | BatchResponse
    | StatusResponse
    | CancelResponse
    | CancelManyResponse
    | EventsResponse
    | PositionsResponse
    | SubmissionResponse
    | QueueResponse
    | ResultResponse
    | FindResponse
    | SchedulesResponse
)


# --- vocabularies of an execution server and its clients ----------------------------------------------------------

_REPLIES = (
    AcceptedResponse,
    BatchResponse,
    StatusResponse,
    CancelResponse,
    CancelManyResponse,
    EventsResponse,
    PositionsResponse,
    SubmissionResponse,
    QueueResponse,
    ResultResponse,
    FindResponse,
    SchedulesResponse,
)
_PLAIN_REQUESTS = (
    StatusRequest,
    CancelRequest,
    CancelManyRequest,
    EventsRequest,
    PositionsRequest,
    SubmissionRequest,
    QueueRequest,
    HistoryRequest,
    ResultRequest,
    FindRequest,
    SchedulesRequest,
    UnscheduleRequest,
)

EXECUTIONS = Vocabulary(
    requests=(ExecuteRequest, BatchRequest, ScheduleRequest, *_PLAIN_REQUESTS),
    replies=_REPLIES,
    events=(EventBatch, EventBatches),
)
"""The vocabulary of a client of an execution server."""

PACKED_EXECUTIONS = Vocabulary(
    requests=(PackedExecuteRequest, PackedBatchRequest, PackedScheduleRequest, *_PLAIN_REQUESTS),
    replies=_REPLIES,
    events=(EventBatch, EventBatches),
)
"""The vocabulary of an execution server, in which payloads stay encoded."""
