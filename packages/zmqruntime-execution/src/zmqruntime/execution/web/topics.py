"""Wakes those who wait for something to change, on one event loop; nothing is queued."""

import asyncio

__all__ = ["Topic"]


class Topic:
    """Something that changes. Whoever listens is woken and looks for itself at what is new."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def add(self, wake: asyncio.Event) -> None:
        """Set this event at each change from now on."""
        self._waiting.add(wake)

    def remove(self, wake: asyncio.Event) -> None:
        """No longer set this event."""
        self._waiting.discard(wake)

    def changed(self) -> None:
        """Wake all."""
        for wake in self._waiting:
            wake.set()
