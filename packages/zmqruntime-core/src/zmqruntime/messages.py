"""The wire protocol: every message, typed, and the one codec for all of them.

A message is one msgpack map. ``type`` names it, ``protocol`` is the version of this document, the other keys
are its fields; an unknown key, a missing one or a wrong type makes the whole message invalid.
"""

import enum
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Self

import msgspec
from msgspec import Meta

from zmqruntime.compat import Mapped
from zmqruntime.environment import TaskEnvironment

PROTOCOL_VERSION = 1


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


class ErrorCode(enum.StrEnum):
    """Why a server refused a request."""

    INVALID = "invalid"
    """The bytes are not a message of the protocol."""
    PROTOCOL = "protocol"
    """The message is of another protocol version."""
    UNSUPPORTED = "unsupported"
    """This server does not know the request."""
    NOT_FOUND = "not_found"
    """The request names an execution that this server does not have."""
    QUEUE_FULL = "queue_full"
    """The server has as many queued executions as it may; submit again later."""
    CONFLICT = "conflict"
    """The execution is not in a status in which that can be done."""
    STORAGE = "storage"
    """The server could not write the request to disk, so it was not accepted."""
    TOO_LARGE = "too_large"
    """The reply would be longer than a message may be; ask for less."""
    UNREAD = "unread"
    """Replies to earlier requests of this client were not read, until they were too much to keep and were dropped."""
    CLOSING = "closing"
    """The server is about to end."""
    INTERNAL = "internal"
    """The server has a bug; its log has the traceback."""


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


Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Seconds = Annotated[float, Meta(ge=0)]
PositiveSeconds = Annotated[float, Meta(gt=0)]


class Message(Mapped, msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """Base of all messages; can also be read like a mapping (``message["status"]``, ``dict(message)``)."""

    may_repeat: ClassVar[bool] = False
    """Of a request: whether asking twice does no more than asking once, so that it may be sent again when the
    connection, or the server, was lost before it was answered."""

    protocol: int = PROTOCOL_VERSION

    def to_dict(self) -> dict[str, Any]:
        """The message as plain dicts, lists, strings and numbers, ``type`` included."""
        plain: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(bytes,))
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`.

        Raises:
            msgspec.ValidationError: a field is missing, unknown or of a wrong type.
        """
        return msgspec.convert(plain, cls)


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


class Heartbeat(Message, frozen=True, kw_only=True, tag="heartbeat"):
    """The server lives; sent every ``interval`` seconds on topic ``heartbeat`` while anybody subscribes.

    ``positions`` says how many events each execution that changed lately has.
    """

    instance_id: str
    interval: Seconds
    positions: dict[str, int] = {}


class Farewell(Message, frozen=True, kw_only=True, tag="farewell"):
    """The server ends since somebody said so; sent last, on topic ``heartbeat``.

    Clients then leave it to others to start its successor. A server that is killed says nothing.
    """

    instance_id: str


HEARTBEAT_TOPIC = b"heartbeat"
DataMessage = EventBatch | Heartbeat | Farewell


# --- control channel: requests ------------------------------------------------------------------------------------


class PingRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.PING.value):
    """Is a server there, and which?"""


class ShutdownRequest(Message, frozen=True, kw_only=True, tag=ControlMessageType.SHUTDOWN.value):
    """End the server process; what is running is interrupted, what is queued waits for the next."""


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


PackedRequest = (
    PingRequest
    | ShutdownRequest
    | PackedExecuteRequest
    | StatusRequest
    | CancelRequest
    | EventsRequest
    | PositionsRequest
    | SubmissionRequest
    | PackedBatchRequest
    | QueueRequest
    | HistoryRequest
    | ResultRequest
    | FindRequest
)


# --- control channel: responses -----------------------------------------------------------------------------------


class ServerCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What code a server runs.

    ``target`` is ``module:Class``, or ``file.py:Class`` for a class of a script; ``file`` where its source is;
    ``bases`` has the classes that it derives from with their files; ``digest`` is of the source when the server
    started; ``environment`` is the folder of its Python environment.
    """

    target: str
    file: str
    bases: dict[str, str]
    digest: str
    environment: str


class PongResponse(Message, frozen=True, kw_only=True, tag=ResponseType.PONG.value):
    """Who the server is. ``pid`` with ``process_start`` identifies the process, ``instance_id`` this run of it.

    ``lifetime`` is ``persistent`` or ``owned`` when a client has started it, else empty.
    """

    instance_id: str
    pid: int
    process_start: float
    server: str
    version: str
    app_name: str
    port: int
    code: ServerCode | None = None
    lifetime: str = ""


class OkResponse(Message, frozen=True, kw_only=True, tag=ResponseType.OK.value):
    """Done; ``message`` says what."""

    message: str = ""


class ErrorResponse(Message, frozen=True, kw_only=True, tag=ResponseType.ERROR.value):
    """The request was not carried out."""

    code: ErrorCode
    message: str


class AcceptedResponse(Message, frozen=True, kw_only=True, tag=ResponseType.ACCEPTED.value):
    """The execution is on disk. ``duplicate`` if its id was known before."""

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
    ended: dict[ExecutionStatus, Count] = {}
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


# --- viewers ------------------------------------------------------------------------------------------------------


class AckStage(enum.StrEnum):
    """How far an image got in its viewer."""

    RECEIVED = "received"
    DISPLAYED = "displayed"
    FAILED = "failed"


class ImageAck(Message, frozen=True, kw_only=True, tag="image_ack"):
    """A viewer says what became of an image."""

    image_id: str
    viewer_port: int
    viewer_type: str
    stage: AckStage
    timestamp: float
    error: str | None = None


class ShapeKind(enum.StrEnum):
    """What the coordinates of a shape outline."""

    POLYGON = "polygon"
    POLYLINE = "polyline"
    ELLIPSE = "ellipse"
    RECTANGLE = "rectangle"
    LINE = "line"
    POINTS = "points"


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One shape: ``coordinates`` are its vertices, (y, x) or (z, y, x) each, in pixels.

    An ellipse and a rectangle have the four corners of the box around them, a line its two ends.
    """

    kind: ShapeKind
    coordinates: list[list[float]]
    properties: dict[str, str | int | float | bool] = {}


class ShapesMessage(Message, frozen=True, kw_only=True, tag="shapes"):
    """Shapes for one layer of a viewer; ``metadata`` says where they belong, as for an image."""

    image_id: str
    layer_name: str
    shapes: list[Shape]
    metadata: dict[str, Any] = {}


class ROIMessage(Message, frozen=True, kw_only=True, tag="rois"):
    """ROIs for an ImageJ viewer, each encoded as in a ``.roi`` file, with a name for each."""

    image_id: str
    layer_name: str
    rois: list[bytes]
    names: list[str]
    metadata: dict[str, Any] = {}


def _field_names(base: type[Message]) -> set[str]:
    found = set(base.__struct_fields__)
    for message in base.__subclasses__():
        found |= _field_names(message)
    return found


MessageFields = SimpleNamespace(TYPE="type", **{name.upper(): name for name in sorted(_field_names(Message))})
"""The names of all fields of all messages, upper-case, for programs that read messages as mappings."""
