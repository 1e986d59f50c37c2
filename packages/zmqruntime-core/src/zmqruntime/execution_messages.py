"""What execution servers and their clients say to each other."""

import enum
from typing import Annotated, Any, ClassVar

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
from zmqruntime.vocabulary import Vocabulary


class ControlMessageType(enum.StrEnum):
    """What a client may ask on the control channel."""

    PING = "ping"
    SHUTDOWN = "shutdown"
    EXECUTE = "execute"
    STATUS = "status"
    CANCEL = "cancel"
    EVENTS = "events"
    POSITIONS = "positions"
    SUBMISSION = "submission"
    BATCH = "batch"
    QUEUE = "queue"
    HISTORY = "history"
    RESULT = "result"
    FIND = "find"


class ResponseType(enum.StrEnum):
    """What a server answers on the control channel."""

    PONG = "pong"
    OK = "ok"
    ERROR = "error"
    ACCEPTED = "accepted"
    STATUS = "status_report"
    CANCEL = "cancel_report"
    EVENTS = "event_report"
    POSITIONS = "position_report"
    SUBMISSION = "submission_report"
    BATCH = "batch_accepted"
    QUEUE = "queue_report"
    RESULT = "result_report"
    FIND = "find_report"


class ExecutionStatus(enum.StrEnum):
    """Where an execution is; ``zmqruntime.execution.lifecycle`` holds the legal ways between them."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class ProgressPhase(enum.StrEnum):
    """Which part of a task a progress update speaks of."""

    INIT = "init"
    COMPILE = "compile"
    AXIS_STARTED = "axis_started"
    STEP_STARTED = "step_started"
    PATTERN_GROUP = "pattern_group"
    STEP_COMPLETED = "step_completed"
    AXIS_COMPLETED = "axis_completed"


class ProgressStatus(enum.StrEnum):
    """How that part is doing."""

    STARTED = "started"
    RUNNING = "running"
    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"


class LogLevel(enum.StrEnum):
    """Levels of the log lines of a task, as in :mod:`logging`."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


# --- what runs in an execution says -------------------------------------------------------------------------------


class ProgressUpdate(Message, frozen=True, kw_only=True, tag="progress"):
    """How far one step of one axis is.

    ``completed`` of ``total`` counts what the phase counts (pattern groups of a step, steps of an axis);
    ``timestamp`` is in seconds since the epoch; ``sequence`` counts the updates of one execution from 1 without a gap;
    ``worker`` is the id of the process that says so, on its machine. ``sequence`` is 0 until the receiver of an update
    has given it its number.
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


class LogLine(Message, frozen=True, kw_only=True, tag="log"):
    """One line that a task logged or printed; ``sequence`` counts the lines of one execution from 1.

    ``axis_id`` is the axis that was worked on when it was said; empty for the task as a whole, or where nobody knows.
    """

    execution_id: str
    sequence: Sequence
    timestamp: float
    level: LogLevel
    logger: str
    text: str
    axis_id: str = ""


class ExecutionSnapshot(Mapped, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One execution as the server knows it; can also be read like a mapping.

    Times are seconds since the epoch, None where not reached.
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
    """What the task returned; None until the execution is complete, in lists, and where it is too long to be here."""
    result_bytes: Count | None = None
    """How long the result is, encoded; None if there is none. One of more than 64 KiB is asked for with ``result``."""
    event_count: Count = 0
    """How many events the execution had when this was written; later ones have higher numbers."""
    queue_position: int | None = None
    """0 for the next to run; None unless queued."""
    held: bool = False
    """Whether it stays queued until it is released."""
    attempts: Count = 0
    """How often it was started."""
    resumable: bool = False
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    run_seconds: float | None = None
    """How long the last run took, by a clock that nobody sets; None until it has ended, or if the server ended."""


class StateChange(Message, frozen=True, kw_only=True, tag="state"):
    """An execution went to another status; ``sequence`` counts the changes of one execution from 1."""

    sequence: Sequence
    timestamp: float
    execution: ExecutionSnapshot


Event = ProgressUpdate | LogLine | StateChange


# --- data channel: frames [topic, message] ------------------------------------------------------------------------


class EventBatch(Message, frozen=True, kw_only=True, tag="event_batch"):
    """The events of one execution numbered ``after + 1`` to ``upto``, in order; the topic is the execution's id.

    Fewer events than numbers means that superseded progress was merged. An empty batch says how far the
    execution is: a subscriber that knows less asks for the rest with :class:`EventsRequest`.
    """

    execution_id: str
    after: Count
    upto: Count
    events: list[Event]


DataMessage = EventBatch | Heartbeat | Farewell


# --- control channel: requests ------------------------------------------------------------------------------------


class ExecuteRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.EXECUTE.value):
    """Run a task.

    ``submission_id`` becomes the id of the execution; the same id sent again is the same execution. It is chosen
    by the client, so that the client can subscribe to the topic before it submits. ``payload`` says what to do:
    any msgpack value that the server's ``execute_task`` understands. ``plate_id`` names what it is done to.
    """

    may_repeat: ClassVar[bool] = True

    submission_id: Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{8,64}$")]
    payload: Any = None
    plate_id: Annotated[str, Meta(max_length=4096)] = ""
    priority: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 0
    soft_time_limit: PositiveSeconds | None = None
    """After so long the task is asked to stop, and fails."""
    time_limit: PositiveSeconds | None = None
    """After so long the task is killed, and fails."""
    max_retries: Annotated[int, Meta(ge=0, le=1000)] = 0
    """How often it is tried again after it failed."""
    retry_delay: Seconds = 1.0
    """Before the first retry; doubles with each."""
    resumable: bool = False
    """Whether it goes back to the queue, with its checkpoints, when the server ended under it."""
    environment: TaskEnvironment | None = None
    """What the process that runs it is started with; None for the server's own environment."""


class BatchRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.BATCH.value):
    """Accept all of these executions or none."""

    may_repeat: ClassVar[bool] = True

    requests: Annotated[list[ExecuteRequest], Meta(min_length=1, max_length=10_000)]


class StatusRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.STATUS.value):
    """One execution by its id, or without one all that are not ended and the latest ``limit`` that are.

    Of queued ones the first 200 are listed; the reply counts all. A list has neither results nor tracebacks: ask for
    one execution, and for a long result with ``result``.
    """

    may_repeat: ClassVar[bool] = True

    execution_id: str | None = None
    limit: Annotated[int, Meta(ge=0, le=1000)] = 20


class CancelRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.CANCEL.value):
    """Cancel an execution, or with ``axis_id`` one axis of it.

    It is asked to stop, and stops at its next check. With ``grace_seconds`` its processes are killed if they have not
    stopped by then; 0 kills at once.
    """

    may_repeat: ClassVar[bool] = True

    execution_id: str
    axis_id: str | None = None
    grace_seconds: Seconds | None = None


class EventsRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.EVENTS.value):
    """The events of an execution after number ``after``; the reply may hold a part, then ask again."""

    may_repeat: ClassVar[bool] = True

    execution_id: str
    after: Count = 0


class PositionsRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.POSITIONS.value):
    """How many events these executions have, so that a reader learns which of them it lacks some of."""

    may_repeat: ClassVar[bool] = True

    execution_ids: Annotated[list[str], Meta(max_length=1000)]


class SubmissionRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.SUBMISSION.value):
    """What was submitted for an execution, so that it can be run again."""

    may_repeat: ClassVar[bool] = True

    execution_id: str


class QueueAction(enum.StrEnum):
    """What can be done to the queue, or to one execution in it."""

    PAUSE = "pause"
    """Start nothing more; what runs goes on."""
    RESUME = "resume"
    """Start again."""
    DRAIN = "drain"
    """Accept nothing more; what is queued still runs."""
    MOVE = "move"
    """Put one execution at ``position`` of its priority's queue, 0 being the next."""
    HOLD = "hold"
    """Leave one execution in the queue until it is released."""
    RELEASE = "release"
    """Let it run again in its turn."""


class QueueRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.QUEUE.value):
    """Change the order of what is queued, or whether it runs. Survives a restart."""

    may_repeat: ClassVar[bool] = True

    action: QueueAction
    execution_id: str | None = None
    position: Count = 0


class HistoryRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.HISTORY.value):
    """Ended executions, newest first, without results and tracebacks, a page at a time.

    ``older_than`` is the id of the last one of the page before; ``before`` a time (s since the epoch) to begin at.
    """

    may_repeat: ClassVar[bool] = True

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    before: float | None = None
    older_than: str | None = None


class ResultRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.RESULT.value):
    """A piece of the encoded result of an execution, from byte ``offset`` on."""

    may_repeat: ClassVar[bool] = True

    execution_id: str
    offset: Count = 0


class FindRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.FIND.value):
    """The ids of executions that begin with ``prefix``, a few of them."""

    may_repeat: ClassVar[bool] = True

    prefix: Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{1,64}$")]


Request = (
    PingRequest
    | ShutdownRequest
    | ExecuteRequest
    | StatusRequest
    | CancelRequest
    | EventsRequest
    | PositionsRequest
    | SubmissionRequest
    | BatchRequest
    | QueueRequest
    | HistoryRequest
    | ResultRequest
    | FindRequest
)


class PackedExecuteRequest(ExecuteRequest, frozen=True, kw_only=True, tag=ControlMessageType.EXECUTE.value):
    """An ``ExecuteRequest`` as a server reads it, who keeps the payload and never looks into it."""

    payload: msgspec.Raw = msgspec.Raw(b"\xc0")


class PackedBatchRequest(BatchRequest, frozen=True, kw_only=True, tag=ControlMessageType.BATCH.value):
    """A ``BatchRequest`` of those."""

    requests: Annotated[list[PackedExecuteRequest], Meta(min_length=1, max_length=10_000)]  # type: ignore[assignment]


# --- control channel: responses -----------------------------------------------------------------------------------


class AcceptedResponse(Message, frozen=True, kw_only=True, tag=ResponseType.ACCEPTED.value):
    """The execution is on disk. ``duplicate`` if its id was known before."""

    is_short: ClassVar[bool] = True

    execution_id: str
    duplicate: bool
    status: ExecutionStatus


class BatchResponse(Message, frozen=True, kw_only=True, tag=ResponseType.BATCH.value):
    """All of the batch is on disk; one entry for each request, in their order."""

    accepted: list[AcceptedResponse]


class QueueResponse(Message, frozen=True, kw_only=True, tag=ResponseType.QUEUE.value):
    """What the queue is now: execution ids in the order in which they will run, the first 1,000 of ``count``."""

    paused: bool
    draining: bool
    queued: list[str]
    count: Count = 0


class StatusResponse(Message, frozen=True, kw_only=True, tag=ResponseType.STATUS.value):
    """The executions that were asked for: running, queued in their order, then ended, newest first."""

    executions: list[ExecutionSnapshot]
    queued: int
    running: int
    workers: int
    paused: bool = False
    draining: bool = False
    ended: dict[ExecutionStatus, Count] = msgspec.field(default_factory=dict)
    """How many ended in which status since the server started."""
    more: bool = False
    """Whether there are more than those in the list, which was long enough."""
    trouble: str = ""
    """Why nothing runs although something is queued, if the server knows: no worker can be started, for example."""


class CancelResponse(Message, frozen=True, kw_only=True, tag=ResponseType.CANCEL.value):
    """What will happen. ``status`` is ``ok`` unless the execution had ended before."""

    execution_id: str
    status: str
    execution_status: ExecutionStatus
    message: str


class EventsResponse(Message, frozen=True, kw_only=True, tag=ResponseType.EVENTS.value):
    """Stored batches in order, and how many events there are in all."""

    execution_id: str
    batches: list[EventBatch]
    upto: Count


class PositionsResponse(Message, frozen=True, kw_only=True, tag=ResponseType.POSITIONS.value):
    """The number of the last event of each execution that the server knows; of the others nothing."""

    positions: dict[str, Count]


class SubmissionResponse(Message, frozen=True, kw_only=True, tag=ResponseType.SUBMISSION.value):
    """The request as it was accepted."""

    request: ExecuteRequest


class ResultResponse(Message, frozen=True, kw_only=True, tag=ResponseType.RESULT.value):
    """Bytes ``offset`` and following of a result that has ``total``: put together they are one msgpack value."""

    execution_id: str
    offset: Count
    total: Count
    data: bytes


class FindResponse(Message, frozen=True, kw_only=True, tag=ResponseType.FIND.value):
    """Ids in their order; ``more`` if there are more."""

    execution_ids: list[str]
    more: bool


Response = (
    PongResponse
    | OkResponse
    | ErrorResponse
    | AcceptedResponse
    | BatchResponse
    | StatusResponse
    | CancelResponse
    | EventsResponse
    | PositionsResponse
    | SubmissionResponse
    | QueueResponse
    | ResultResponse
    | FindResponse
)


# --- what an execution server and its clients speak --------------------------------------------------------------

_REPLIES = (
    AcceptedResponse,
    BatchResponse,
    StatusResponse,
    CancelResponse,
    EventsResponse,
    PositionsResponse,
    SubmissionResponse,
    QueueResponse,
    ResultResponse,
    FindResponse,
)
_PLAIN_REQUESTS = (
    StatusRequest,
    CancelRequest,
    EventsRequest,
    PositionsRequest,
    SubmissionRequest,
    QueueRequest,
    HistoryRequest,
    ResultRequest,
    FindRequest,
)

EXECUTIONS = Vocabulary(
    requests=(ExecuteRequest, BatchRequest, *_PLAIN_REQUESTS), replies=_REPLIES, events=(EventBatch,)
)
"""What a client of an execution server speaks."""

PACKED_EXECUTIONS = Vocabulary(
    requests=(PackedExecuteRequest, PackedBatchRequest, *_PLAIN_REQUESTS), replies=_REPLIES, events=(EventBatch,)
)
"""The same on the server's side, where payloads stay encoded."""
