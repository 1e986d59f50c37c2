"""Keeps how far executions are: of each axis and channel the newest progress update, however they arrive.

Hand :meth:`ProgressRegistry.add` to a client as its ``progress_callback``, and what the registry holds to
``zmqruntime.execution.project_plate``.
"""

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from zmqruntime.execution.callbacks import call_guarded
from zmqruntime.execution.exceptions import InvalidProgressError
from zmqruntime.execution.progress.channels import ProgressChannel, ProgressKey, is_newer, key_of
from zmqruntime.execution.progress.rules import check_progress, log_invalid_progress, validate_progress
from zmqruntime.messages import ProgressUpdate

__all__ = ["ProgressRegistry", "RegistryCounts"]

_MAX_EXECUTIONS = 1_000
_MAX_KEYS = 100_000

ProgressListener = Callable[[ProgressUpdate], None]


class RegistryCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all that was added."""

    kept: int = 0
    stale: int = 0
    """Not newer than what was known: repeated, or overtaken on the way."""
    bad: int = 0
    """Not a progress update."""
    dropped: int = 0
    """Of an execution that has too many axes to keep them all."""


class ProgressRegistry:
    """The newest progress of many executions; may be used from any thread.

    Args:
        on_error: called with what is wrong with an update that is none, on the thread that added it; by default it is
            logged.
        max_executions: how many are kept; one more, and the one that was heard of least recently is forgotten.
        max_keys: how many axes times channels are kept of one execution; updates of further ones are only counted.
    """

    def __init__(
        self,
        on_error: Callable[[InvalidProgressError], None] = log_invalid_progress,
        *,
        max_executions: int = _MAX_EXECUTIONS,
        max_keys: int = _MAX_KEYS,
    ) -> None:
        self._on_error = on_error
        self._max_executions = max_executions
        self._max_keys = max_keys
        self._lock = threading.Lock()
        self._executions: OrderedDict[str, dict[ProgressKey, ProgressUpdate]] = OrderedDict()
        self._listeners: tuple[ProgressListener, ...] = ()
        self._kept = self._stale = self._bad = self._dropped = 0

    def add(self, update: ProgressUpdate | Mapping[str, Any]) -> bool:
        """Add an update; True if it is the newest of its kind.

        A mapping is checked against the schema; whatever is in it, nothing is raised. Of a ``ProgressUpdate`` the
        types are trusted, since the decoder has checked them.
        """
        try:
            valid = _checked(update)
        except InvalidProgressError as error:
            with self._lock:
                self._bad += 1
            call_guarded(functools.partial(self._on_error, error))
            return False
        with self._lock:
            is_kept = self._keep(valid)
            listeners = self._listeners if is_kept else ()
        for listener in listeners:
            call_guarded(functools.partial(listener, valid))
        return is_kept

    def add_listener(self, listener: ProgressListener) -> None:
        """Call ``listener`` with every update that is kept, on the thread that added it; once, if added twice.

        It must be quick. What it raises is logged and harms nobody.
        """
        with self._lock:
            if listener not in self._listeners:
                self._listeners = (*self._listeners, listener)

    def remove_listener(self, listener: ProgressListener) -> None:
        """Call it no more; does nothing if it is not there."""
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known != listener)

    def forget(self, execution_id: str) -> bool:
        """Drop all of an execution; False if there is nothing. An update that comes later makes it known again."""
        with self._lock:
            return self._executions.pop(execution_id, None) is not None

    def executions(self) -> tuple[str, ...]:
        """The ids of the executions that are known, the one heard of last at the end."""
        with self._lock:
            return tuple(self._executions)

    def updates(self, execution_id: str) -> tuple[ProgressUpdate, ...]:
        """The newest update of each axis and channel; none of an unknown execution."""
        with self._lock:
            return tuple(self._executions.get(execution_id, {}).values())

    def latest(self, execution_id: str, axis_id: str, channel: ProgressChannel) -> ProgressUpdate | None:
        """The newest update of one axis and channel; ``axis_id`` is empty for the whole plate."""
        with self._lock:
            known = self._executions.get(execution_id, {})
            return known.get(ProgressKey(execution_id, axis_id, channel))

    @property
    def counts(self) -> RegistryCounts:
        """What became of all that was added."""
        with self._lock:
            return RegistryCounts(kept=self._kept, stale=self._stale, bad=self._bad, dropped=self._dropped)

    def _keep(self, update: ProgressUpdate) -> bool:
        """With the lock held: whether the update is the newest of its key, and now is kept."""
        key = key_of(update)
        known = self._executions.setdefault(key.execution_id, {})
        self._executions.move_to_end(key.execution_id)
        if len(self._executions) > self._max_executions:
            self._executions.popitem(last=False)
        if key not in known and len(known) >= self._max_keys:
            self._dropped += 1
        elif not is_newer(update, known.get(key)):
            self._stale += 1
        else:
            self._kept += 1
            known[key] = update
            return True
        return False


def _checked(update: ProgressUpdate | Mapping[str, Any]) -> ProgressUpdate:
    if not isinstance(update, ProgressUpdate):
        return validate_progress(update)
    check_progress(update)
    return update
