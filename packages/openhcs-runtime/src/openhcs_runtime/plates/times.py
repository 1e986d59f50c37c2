"""The time between time points, from times that are stated image by image."""

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.lengths import time_step

__all__ = ["Times"]


class Times:
    """The times in seconds at which each plane of a site was taken."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, int, int, int], dict[int, float | None]] = {}

    def add(self, key: ImageKey, time_s: float | None) -> None:
        """Add the time of one image, from any beginning."""
        if time_s is not None:
            self._times.setdefault((key.well, key.site, key.channel, key.z_index), {})[key.timepoint] = time_s

    def step(self) -> float | None:
        """Return the time between the time points of the first plane that has several; None if it is not even."""
        return next((time_step(times) for times in self._times.values() if len(times) > 1), None)
