"""Trackers of the images sent to a viewer: which are displayed, pending, stuck or failed.

A producer registers each image before sending it; the viewer's acknowledgements, received by
:class:`zmqruntime.GlobalAckListener`, do the rest. Kept for the names of the origin documents: see
:mod:`zmqruntime.acks`.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import ClassVar, Final, Self

import msgspec

from zmqruntime.viewer_messages import AckStage, ImageAck

__all__ = ["GlobalQueueTrackerRegistry", "ImageFailure", "QueueCounts", "QueueTracker", "QueueTrackerRegistry"]

_TIMEOUT_SECONDS = 30.0
_MAX_PENDING = 100_000
_FAILURES_KEPT = 100


class ImageFailure(msgspec.Struct, frozen=True, kw_only=True):
    """An image that a viewer could not display, and why."""

    image_id: str
    reason: str


class QueueCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Snapshot of a viewer's image counts: ``sent`` is the sum of ``displayed``, ``failed`` and ``pending``."""

    sent: int
    displayed: int
    failed: int
    pending: int
    received: int
    """How many of the pending images have arrived at the viewer."""
    unmatched: int
    """Acknowledgements of images that were not waiting for one: never registered, or already finished."""


class _Pending(msgspec.Struct):
    last_sign: float
    has_arrived: bool = False


class QueueTracker:
    """A counter of the images of one viewer; can be used from any thread.

    Only pending images are stored by id, at most ``max_pending`` of them: beyond that, the one with the oldest sign of
    life is given up and counts as failed.

    Args:
        viewer_port: the viewer's data port.
        viewer_type: the kind of viewer, for example ``napari``.
        timeout_seconds: time without a sign of life after which an image counts as stuck.
        max_pending: maximum number of pending images.
        clock: monotonic clock, in seconds.
    """

    def __init__(
        self,
        viewer_port: int,
        viewer_type: str,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        *,
        max_pending: int = _MAX_PENDING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.viewer_port: Final = viewer_port
        self.viewer_type: Final = viewer_type
        self.timeout_seconds: Final = timeout_seconds
        self._max_pending = max_pending
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: OrderedDict[str, _Pending] = OrderedDict()  # oldest sign of life first
        self._failures: deque[ImageFailure] = deque(maxlen=_FAILURES_KEPT)
        self._displayed = self._failed = self._received = self._unmatched = 0

    # --- events ----------------------------------------------------------------------------------------------------

    def register_sent(self, image_id: str) -> None:
        """Register an image before it is sent. If it is already pending, it is not counted again; its time restarts."""
        with self._lock:
            self._settle(image_id)
            self._pending[image_id] = _Pending(self._clock())
            if len(self._pending) > self._max_pending:
                oldest = next(iter(self._pending))
                self._fail(oldest, f"given up: {self._max_pending:,} images sent later are also pending")

    def mark_received(self, image_id: str) -> bool:
        """Note that the viewer has received the image; its time restarts. Return False if it was not pending."""
        with self._lock:
            image = self._pending.get(image_id)
            if image is None:
                return self._note_unmatched()
            self._received += not image.has_arrived
            image.has_arrived, image.last_sign = True, self._clock()
            self._pending.move_to_end(image_id)
            return True

    def mark_processed(self, image_id: str) -> bool:
        """Note that the viewer displays the image. Return False if it was not pending."""
        with self._lock:
            if not self._settle(image_id):
                return self._note_unmatched()
            self._displayed += 1
            return True

    def mark_failed(self, image_id: str, reason: str) -> bool:
        """Note that the viewer cannot display the image. Return False if it was not pending."""
        with self._lock:
            return self._fail(image_id, reason) or self._note_unmatched()

    def take_ack(self, ack: ImageAck) -> bool:
        """Apply a viewer's acknowledgement. Return False if the image was not pending."""
        match ack.stage:
            case AckStage.RECEIVED:
                return self.mark_received(ack.image_id)
            case AckStage.DISPLAYED:
                return self.mark_processed(ack.image_id)
            case AckStage.FAILED:
                return self.mark_failed(ack.image_id, ack.error or "the viewer gave no reason")

    # --- state -----------------------------------------------------------------------------------------------------

    def get_progress(self) -> tuple[int, int]:
        """Return how many images are finished (displayed or failed), and how many there are in total."""
        counts = self.get_counts()
        return counts.displayed + counts.failed, counts.sent

    def get_counts(self) -> QueueCounts:
        """Return a snapshot of all counts."""
        with self._lock:
            pending = len(self._pending)
            return QueueCounts(
                sent=self._displayed + self._failed + pending,
                displayed=self._displayed,
                failed=self._failed,
                pending=pending,
                received=self._received,
                unmatched=self._unmatched,
            )

    def get_pending_count(self) -> int:
        """Return how many images are neither displayed nor failed."""
        return len(self._pending)

    def has_stuck_images(self) -> bool:
        """Return whether any image has shown no sign of life for longer than the timeout."""
        with self._lock:
            oldest = next(iter(self._pending.values()), None)
            return oldest is not None and self._is_stuck(oldest, self._clock())

    def get_stuck_images(self) -> list[str]:
        """Return the images without a sign of life for longer than the timeout, longest first."""
        found = []
        with self._lock:
            now = self._clock()
            for image_id, image in self._pending.items():
                if not self._is_stuck(image, now):
                    break
                found.append(image_id)
        return found

    def get_failures(self) -> tuple[ImageFailure, ...]:
        """Return the latest hundred failed images, oldest first."""
        with self._lock:
            return tuple(self._failures)

    # --- inside, with the lock held --------------------------------------------------------------------------------

    def _settle(self, image_id: str) -> bool:
        image = self._pending.pop(image_id, None)
        if image is None:
            return False
        self._received -= image.has_arrived
        return True

    def _fail(self, image_id: str, reason: str) -> bool:
        if not self._settle(image_id):
            return False
        self._failed += 1
        self._failures.append(ImageFailure(image_id=image_id, reason=reason))
        return True

    def _note_unmatched(self) -> bool:
        self._unmatched += 1
        return False

    def _is_stuck(self, image: _Pending, now: float) -> bool:
        return now - image.last_sign > self.timeout_seconds


class QueueTrackerRegistry:
    """The trackers of a program, one per viewer port; can be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trackers: dict[int, QueueTracker] = {}

    def get_or_create_tracker(
        self, viewer_port: int, viewer_type: str, timeout_seconds: float = _TIMEOUT_SECONDS
    ) -> QueueTracker:
        """Return the tracker of the viewer on a port, creating it if there is none for this type of viewer."""
        with self._lock:
            tracker = self._trackers.get(viewer_port)
            if tracker is None or tracker.viewer_type != viewer_type:
                tracker = self._trackers[viewer_port] = QueueTracker(viewer_port, viewer_type, timeout_seconds)
            return tracker

    def get_tracker(self, viewer_port: int) -> QueueTracker | None:
        """Return the tracker of the viewer on a port, or None."""
        with self._lock:
            return self._trackers.get(viewer_port)

    def remove_tracker(self, viewer_port: int) -> bool:
        """Remove the tracker of a viewer that is gone; return False if there was none."""
        with self._lock:
            return self._trackers.pop(viewer_port, None) is not None

    def get_trackers(self) -> tuple[QueueTracker, ...]:
        """Return all trackers, sorted by port."""
        with self._lock:
            return tuple(tracker for _, tracker in sorted(self._trackers.items()))

    def take_ack(self, ack: ImageAck) -> bool:
        """Pass an acknowledgement to its viewer's tracker; return False if no image was waiting for it."""
        tracker = self.get_tracker(ack.viewer_port)
        return tracker is not None and tracker.viewer_type == ack.viewer_type and tracker.take_ack(ack)


class GlobalQueueTrackerRegistry(QueueTrackerRegistry):
    """The registry of this process: ``GlobalQueueTrackerRegistry()`` always returns the same object."""

    _of_this_process: ClassVar["GlobalQueueTrackerRegistry | None"] = None
    _making = threading.Lock()

    def __new__(cls) -> Self:
        """Return the registry of this process, creating it on first use."""
        with cls._making:
            if not isinstance(cls._of_this_process, cls):
                one = super().__new__(cls)
                QueueTrackerRegistry.__init__(one)
                cls._of_this_process = one
            return cls._of_this_process

    def __init__(self) -> None:
        """Do nothing: the object was initialized when it was created."""
