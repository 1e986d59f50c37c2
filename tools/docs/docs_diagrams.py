"""The drawings of the explanations, each a function that gives an SVG."""

import math
from collections.abc import Callable

from docs_svg import Drawing, Point, Says, sequence

from zmqruntime.execution.exceptions import IllegalTransitionError
from zmqruntime.execution.lifecycle import TERMINAL, advance
from zmqruntime.messages import ExecutionStatus

HALF_BOX = Point(57, 16)  # of a status, with a little room
PLACES = {
    ExecutionStatus.QUEUED: Point(90, 210),
    ExecutionStatus.RUNNING: Point(330, 80),
    ExecutionStatus.COMPLETE: Point(640, 50),
    ExecutionStatus.FAILED: Point(640, 180),
    ExecutionStatus.CANCELLING: Point(430, 233),
    ExecutionStatus.CANCELLED: Point(640, 320),
    ExecutionStatus.INTERRUPTED: Point(280, 390),
}


def processes() -> str:
    """Which processes there are, and who talks to whom."""
    drawing = Drawing(760, 330, "Clients, server, workers and viewers")
    drawing.box(Point(110, 60), "terminal", fill="white")
    drawing.box(Point(110, 130), "window", fill="white")
    drawing.box(Point(110, 200), "notebook, other\nlanguages", fill="white")
    drawing.box(Point(390, 130), "server\nqueue, history, events\non disk", width=190)
    for y in (60, 130, 200):
        drawing.line(Point(176, y), Point(294, 130 + (y - 130) / 4))
    drawing.text(Point(235, 60), "control: requests", size=12)
    drawing.text(Point(235, 212), "data: events", size=12)
    for number, y in enumerate((60, 130, 200), 1):
        drawing.box(Point(650, y), f"worker {number}\nwells, one by one", width=150)
        drawing.line(Point(486, 130 + (y - 130) / 4), Point(574, y))
    drawing.box(Point(650, 290), "viewer\nnapari, Fiji, yours", width=150)
    drawing.line(Point(650, 228), Point(650, 262))
    drawing.text(Point(585, 250), "arrays, no waiting", size=12)
    return str(drawing)


def layers() -> str:
    """Which package uses which."""
    drawing = Drawing(640, 250, "The packages and what they use")
    drawing.box(Point(320, 210), "zmqruntime-core\nsockets, messages, servers", width=230)
    drawing.box(Point(170, 130), "zmqruntime-execution\ntasks, queue, cancel", width=210)
    drawing.box(Point(470, 130), "zmqruntime-streaming\narrays, viewers", width=210)
    drawing.box(Point(320, 45), "openhcs-runtime\nplates, pipelines, wells", width=220)
    drawing.box(Point(545, 45), "openhcs-gui-services\nthe window", width=170)
    drawing.line(Point(200, 155), Point(260, 184))
    drawing.line(Point(440, 155), Point(380, 184))
    drawing.line(Point(270, 71), Point(210, 104))
    drawing.line(Point(370, 71), Point(430, 104))
    drawing.line(Point(460, 45), Point(432, 45))
    return str(drawing)


def lifecycle() -> str:
    """The statuses of an execution, and every way between them."""
    drawing = Drawing(720, 430, "The statuses of an execution")
    for status in ExecutionStatus:
        for after in [each for each in ExecutionStatus if may_follow(status, each)]:
            aside = 7 if may_follow(after, status) else 0
            drawing.line(*edges(PLACES[status], PLACES[after], aside))
    for status, place in PLACES.items():
        drawing.box(place, status.value, width=110, fill="#d8ead8" if status in TERMINAL else "#e8eef4")
    return str(drawing)


def may_follow(status: ExecutionStatus, after: ExecutionStatus) -> bool:
    """Whether the lifecycle has that way."""
    try:
        advance(status, after)
    except IllegalTransitionError:
        return False
    return True


def edges(begin: Point, end: Point, aside: float) -> tuple[Point, Point]:
    """The line between two boxes, from rim to rim, so far to the right of its direction."""
    x, y = end.x - begin.x, end.y - begin.y
    length = (x * x + y * y) ** 0.5
    shift = Point(-y / length * aside, x / length * aside)
    return rim(begin, shift, Point(x, y)), rim(end, shift, Point(-x, -y))


def rim(middle: Point, shift: Point, direction: Point) -> Point:
    """Where a line in that direction, through a point beside the middle of a box, leaves it."""
    parts = zip(HALF_BOX, shift, direction, strict=True)
    reach = min(
        (half - math.copysign(beside, beside * toward)) / abs(toward) for half, beside, toward in parts if toward
    )
    return Point(round(middle.x + shift.x + reach * direction.x, 1), round(middle.y + shift.y + reach * direction.y, 1))


def submission() -> str:
    """From a submission to its end, with a gap that is mended."""
    client, control, data, worker = range(4)
    lines = (
        Says(client, data, "subscribe to the id"),
        Says(client, control, "execute, with the id"),
        Says(control, None, "written to disk"),
        Says(control, client, "accepted"),
        Says(control, worker, "task"),
        Says(worker, data, "progress"),
        Says(data, client, "event_batch 0 to 3"),
        Says(data, client, "event_batch 3 to 5: lost", is_dashed=True),
        Says(data, client, "event_batch 5 to 9"),
        Says(client, control, "events after 3"),
        Says(control, client, "event_report 3 to 9"),
        Says(worker, data, "result"),
        Says(data, client, "event_batch 9 to 10: complete"),
    )
    return sequence("A submission and its events", ("client", "control channel", "data channel", "worker"), lines, 210)


def cancel() -> str:
    """A cancel with a grace."""
    client, server, task = range(3)
    lines = (
        Says(client, server, "cancel, grace_seconds 10"),
        Says(server, client, "cancel_report: what will happen"),
        Says(server, None, "cancelling"),
        Says(server, task, "flag"),
        Says(task, None, "next check_cancelled()"),
        Says(task, server, "stopped: cancelled", is_dashed=True),
        Says(server, None, "or after 10 s: kill"),
        Says(server, task, "end the process tree"),
        Says(server, client, "state: cancelled"),
    )
    return sequence("Cancelling an execution", ("client", "server", "worker process"), lines, 220)


def credits() -> str:
    """How a viewer bounds what is in flight."""
    stream, viewer = range(2)
    lines = (
        Says(stream, viewer, "stream_hello"),
        Says(viewer, stream, "stream_welcome: window 2"),
        Says(stream, viewer, "delivery 1"),
        Says(stream, viewer, "delivery 2"),
        Says(stream, None, "3 waits, 4 replaces 3"),
        Says(viewer, None, "draws 1"),
        Says(viewer, stream, "stream_report: 1 displayed, done"),
        Says(stream, viewer, "delivery 4"),
    )
    return sequence("Credits of a viewer", ("pipeline", "viewer"), lines, 300)


def keys() -> str:
    """Which keys are checked when a client connects over TCP."""
    client, server = range(2)
    lines = (
        Says(client, None, "knows the server's key"),
        Says(server, None, "knows the client's key"),
        Says(client, server, "handshake, for the server's key only"),
        Says(server, client, "handshake, if the client's key is admitted"),
        Says(client, server, "requests, encrypted"),
        Says(server, client, "replies and events, encrypted"),
    )
    return sequence("Keys over TCP", ("client", "server"), lines, 320)


DRAWINGS: dict[str, Callable[[], str]] = {
    "processes": processes,
    "layers": layers,
    "lifecycle": lifecycle,
    "submission": submission,
    "cancel": cancel,
    "credits": credits,
    "keys": keys,
}
