"""Queue trackers under their earlier module name."""

from zmqruntime import GlobalQueueTrackerRegistry, QueueTracker

__all__ = ["GlobalQueueTrackerRegistry", "QueueTracker"]
