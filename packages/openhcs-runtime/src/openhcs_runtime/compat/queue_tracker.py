"""Queue trackers under the module name of earlier documents."""

from zmqruntime import GlobalQueueTrackerRegistry, QueueTracker

__all__ = ["GlobalQueueTrackerRegistry", "QueueTracker"]
