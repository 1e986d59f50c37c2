"""Cancel requests for a task and its axes, and callbacks for them."""

import contextvars
import functools
import threading
from collections.abc import Callable
from typing import Self

from zmqruntime.execution.callbacks import call_guarded

__all__ = ["CancelFlags", "CancelHook"]


class CancelHook:
    """A callback for cancel requests, active until it is closed; as a context manager it closes itself.

    Returned by :meth:`Task.on_cancel`.
    """

    def __init__(self, flags: "CancelFlags", callback: Callable[[str | None], object]) -> None:
        self._flags = flags
        self._callback = callback
        self._context = contextvars.copy_context()

    def close(self) -> None:
        """Start no further calls, without waiting for a running one. Idempotent, from any thread."""
        self._flags.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def tell(self, axis_id: str | None) -> None:
        """Make the call in a copy of the context the hook was created in, so that ``current_task()`` is the same."""
        if self._flags.has(self):
            call_guarded(functools.partial(self._context.copy().run, self._callback, axis_id))


class CancelFlags:
    """Records which axes, or the whole task, were asked to stop. Flags are never cleared. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.asked: set[str | None] = set()
        """The axes that were asked to stop, None for the whole task; to be read only."""
        self._hooks: list[CancelHook] = []

    def set(self, axis_id: str | None) -> None:
        """Ask one axis, or everything (None), to stop; hooks are called in a separate thread, so none can block."""
        with self._lock:
            is_new = axis_id not in self.asked
            self.asked.add(axis_id)
            hooks = tuple(self._hooks) if is_new else ()
        if hooks:
            threading.Thread(target=_tell, args=(hooks, axis_id), name="on-cancel", daemon=True).start()

    def is_set(self, axis_id: str | None) -> bool:
        """Whether the whole task, or that axis, was asked to stop."""
        return None in self.asked or axis_id in self.asked

    def axes(self) -> list[str]:
        """Return the axes that were asked to stop individually."""
        with self._lock:
            return sorted(axis_id for axis_id in self.asked if axis_id is not None)

    def add(self, callback: Callable[[str | None], object]) -> CancelHook:
        """Call ``callback`` for each flag that is set; for flags that are already set, now and in this thread."""
        hook = CancelHook(self, callback)
        with self._lock:
            self._hooks.append(hook)
            asked = sorted(self.asked, key=lambda axis_id: axis_id or "")
        for axis_id in asked:
            hook.tell(axis_id)
        return hook

    def remove(self, hook: CancelHook) -> None:
        """Stop calling the hook; does nothing if it is not registered."""
        with self._lock:
            if hook in self._hooks:
                self._hooks.remove(hook)

    def has(self, hook: CancelHook) -> bool:
        """Whether the hook is registered."""
        return hook in self._hooks


def _tell(hooks: tuple[CancelHook, ...], axis_id: str | None) -> None:
    for hook in hooks:
        hook.tell(axis_id)
