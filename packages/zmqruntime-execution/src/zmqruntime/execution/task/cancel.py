"""Which parts of a task were asked to stop, and who wants to be told."""

import contextvars
import functools
import threading
from collections.abc import Callable
from typing import Self

from zmqruntime.execution.callbacks import call_guarded

__all__ = ["CancelFlags", "CancelHook"]


class CancelHook:
    """A callback that is called when its task is asked to stop, until it is closed; a context manager that closes it.

    :meth:`Task.on_cancel` makes one.
    """

    def __init__(self, flags: "CancelFlags", callback: Callable[[str | None], object]) -> None:
        self._flags = flags
        self._callback = callback
        self._context = contextvars.copy_context()

    def close(self) -> None:
        """Begin no further call; one that is being made is not waited for. May be called twice, from any thread."""
        self._flags.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def tell(self, axis_id: str | None) -> None:
        """Make the call, in a copy of the context that the hook was made in: ``current_task()`` is the same there."""
        if self._flags.has(self):
            call_guarded(functools.partial(self._context.copy().run, self._callback, axis_id))


class CancelFlags:
    """Which axes, or whether the whole task, were asked to stop. Flags are never taken back. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: set[str | None] = set()
        self._hooks: list[CancelHook] = []

    def set(self, axis_id: str | None) -> None:
        """Ask one axis, or with None everything, to stop; hooks are told in a thread of its own, so none can block."""
        with self._lock:
            is_new = axis_id not in self._asked
            self._asked.add(axis_id)
            hooks = tuple(self._hooks) if is_new else ()
        if hooks:
            threading.Thread(target=_tell, args=(hooks, axis_id), name="on-cancel", daemon=True).start()

    def is_set(self, axis_id: str | None) -> bool:
        """Whether the whole task, or that axis, was asked to stop."""
        return None in self._asked or axis_id in self._asked

    def axes(self) -> list[str]:
        """The axes that were asked to stop one by one."""
        with self._lock:
            return sorted(axis_id for axis_id in self._asked if axis_id is not None)

    def add(self, callback: Callable[[str | None], object]) -> CancelHook:
        """Tell ``callback`` of each flag that is set, of those that are set already now and in this thread."""
        hook = CancelHook(self, callback)
        with self._lock:
            self._hooks.append(hook)
            asked = sorted(self._asked, key=lambda axis_id: axis_id or "")
        for axis_id in asked:
            hook.tell(axis_id)
        return hook

    def remove(self, hook: CancelHook) -> None:
        """Tell it no more; does nothing if it is not there."""
        with self._lock:
            if hook in self._hooks:
                self._hooks.remove(hook)

    def has(self, hook: CancelHook) -> bool:
        """Whether it is still to be told."""
        return hook in self._hooks


def _tell(hooks: tuple[CancelHook, ...], axis_id: str | None) -> None:
    for hook in hooks:
        hook.tell(axis_id)
