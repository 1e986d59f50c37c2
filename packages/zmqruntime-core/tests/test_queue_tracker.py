"""Queue trackers: what they count, what they forget, and that they stay small."""

import threading

from hypothesis import given, strategies as st

from zmqruntime import (
    AckStage,
    GlobalQueueTrackerRegistry,
    ImageAck,
    ImageFailure,
    QueueCounts,
    QueueTracker,
    QueueTrackerRegistry,
)


class Clock:
    """Seconds that go forward when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def ack(image_id: str, stage: AckStage, port: int = 5555, kind: str = "napari", error: str | None = None) -> ImageAck:
    return ImageAck(image_id=image_id, viewer_port=port, viewer_type=kind, stage=stage, timestamp=0.0, error=error)


def test_progress_counts_what_is_displayed_or_failed() -> None:
    tracker = QueueTracker(5555, "napari")
    assert (tracker.get_progress(), tracker.get_pending_count()) == ((0, 0), 0)
    for image_id in "abcd":
        tracker.register_sent(image_id)
    assert tracker.take_ack(ack("a", AckStage.RECEIVED))
    assert tracker.take_ack(ack("b", AckStage.RECEIVED))
    assert tracker.take_ack(ack("a", AckStage.DISPLAYED))
    assert tracker.take_ack(ack("c", AckStage.FAILED, error="no such layer"))
    assert tracker.mark_processed("d")
    assert tracker.get_progress() == (3, 4)
    assert tracker.get_pending_count() == 1
    assert tracker.get_counts() == QueueCounts(sent=4, displayed=2, failed=1, pending=1, received=1, unmatched=0)
    assert tracker.get_failures() == (ImageFailure(image_id="c", reason="no such layer"),)


def test_an_acknowledgement_counts_once_and_only_for_what_was_registered() -> None:
    tracker = QueueTracker(5555, "napari")
    tracker.register_sent("a")
    assert tracker.mark_received("a")
    assert tracker.mark_received("a")
    assert tracker.mark_processed("a")
    assert not tracker.mark_processed("a")
    assert not tracker.mark_received("a")
    assert not tracker.mark_failed("never sent", "late")
    counts = QueueCounts(sent=1, displayed=1, failed=0, pending=0, received=0, unmatched=3)
    assert tracker.get_counts() == counts


def test_an_image_that_is_sent_again_counts_again_only_once_it_was_done() -> None:
    tracker = QueueTracker(5555, "napari")
    tracker.register_sent("a")
    tracker.mark_received("a")
    tracker.register_sent("a")
    assert tracker.get_counts().received == 0
    assert tracker.get_progress() == (0, 1)
    tracker.mark_processed("a")
    tracker.register_sent("a")
    assert tracker.get_progress() == (1, 2)


def test_stuck_is_what_was_not_heard_of_within_the_timeout() -> None:
    clock = Clock()
    tracker = QueueTracker(5555, "napari", 30.0, clock=clock)
    tracker.register_sent("a")
    tracker.register_sent("b")
    clock.now = 20.0
    tracker.mark_received("a")
    clock.now = 30.0
    assert not tracker.has_stuck_images()
    clock.now = 31.0
    assert tracker.has_stuck_images()
    assert tracker.get_stuck_images() == ["b"]
    clock.now = 51.0
    assert tracker.get_stuck_images() == ["b", "a"]
    tracker.mark_processed("a")
    tracker.mark_failed("b", "lost")
    assert not tracker.has_stuck_images()


def test_what_waits_and_what_failed_is_bounded() -> None:
    tracker = QueueTracker(5555, "napari", max_pending=3)
    for number in range(1000):
        tracker.register_sent(str(number))
    assert tracker.get_pending_count() == 3
    assert tracker.get_progress() == (997, 1000)
    failures = tracker.get_failures()
    assert len(failures) == 100
    assert failures[-1].image_id == "996"
    assert "given up" in failures[-1].reason
    assert not tracker.mark_processed("996")


@given(st.lists(st.tuples(st.sampled_from(["send", *AckStage]), st.sampled_from("abcde")), max_size=60))
def test_every_image_is_somewhere_whatever_is_acknowledged(steps: list[tuple[str, str]]) -> None:
    tracker = QueueTracker(5555, "napari", max_pending=3)
    for step, image_id in steps:
        if step == "send":
            tracker.register_sent(image_id)
        else:
            tracker.take_ack(ack(image_id, AckStage(step)))
        counts = tracker.get_counts()
        assert counts.sent == counts.displayed + counts.failed + counts.pending
        assert 0 <= counts.received <= counts.pending <= 3
        assert tracker.get_progress() == (counts.displayed + counts.failed, counts.sent)


def test_threads_lose_no_count() -> None:
    tracker = QueueTracker(5555, "napari")

    def show(name: str) -> None:
        for number in range(2000):
            tracker.register_sent(f"{name}{number}")
            tracker.mark_processed(f"{name}{number}")

    threads = [threading.Thread(target=show, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tracker.get_progress() == (8000, 8000)


def test_a_registry_has_one_tracker_for_each_viewer() -> None:
    registry = QueueTrackerRegistry()
    tracker = registry.get_or_create_tracker(5555, "napari", 5.0)
    assert (tracker.viewer_port, tracker.viewer_type, tracker.timeout_seconds) == (5555, "napari", 5.0)
    assert registry.get_or_create_tracker(5555, "napari") is tracker
    other = registry.get_or_create_tracker(5556, "fiji")
    assert registry.get_tracker(5556) is other
    assert registry.get_trackers() == (tracker, other)
    assert registry.remove_tracker(5555)
    assert not registry.remove_tracker(5555)
    assert registry.get_tracker(5555) is None


def test_acknowledgements_of_a_viewer_that_had_the_port_before_are_not_taken() -> None:
    registry = QueueTrackerRegistry()
    before = registry.get_or_create_tracker(5555, "napari")
    after = registry.get_or_create_tracker(5555, "fiji")
    for tracker in (before, after):
        tracker.register_sent("a")
    assert not registry.take_ack(ack("a", AckStage.DISPLAYED))
    assert registry.take_ack(ack("a", AckStage.DISPLAYED, kind="fiji"))
    assert not registry.take_ack(ack("a", AckStage.DISPLAYED, port=6000))
    assert (before.get_pending_count(), after.get_pending_count()) == (1, 0)


def test_the_global_registry_is_the_same_everywhere() -> None:
    tracker = GlobalQueueTrackerRegistry().get_or_create_tracker(5999, "napari")
    try:
        assert GlobalQueueTrackerRegistry().get_tracker(5999) is tracker
        assert QueueTrackerRegistry().get_tracker(5999) is None
    finally:
        GlobalQueueTrackerRegistry().remove_tracker(5999)
