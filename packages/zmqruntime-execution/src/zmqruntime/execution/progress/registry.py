"""A registry of progress: the newest update of each axis and channel, regardless of order of arrival.

Pass :meth:`ProgressRegistry.add` to a client as its ``progress_callback``, and the updates in the registry to
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
    """Counts of added updates by outcome."""

    kept: int = 0
    stale: int = 0
    """Not newer than the known update: repeated, or out of order."""
    bad: int = 0
    """Not a progress update."""
    dropped: int = 0
    """Not kept because the execution has too many axes."""


class ProgressRegistry:
    """The newest progress of many executions; may be used from any thread.

    Args:
        on_error: called with the error of an invalid update, on the thread that added it [default: log it].
        max_executions: how many executions are kept; beyond that, the least recently updated one is dropped.
        max_keys: how many axes times channels are kept per execution; updates of further ones are only counted.
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
        """Add an update and return whether it is the newest of its kind.

        A mapping is checked against the schema, and an invalid one does not raise. The types of a ``ProgressUpdate``
        are trusted, because the decoder has checked them.
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
        """Call ``listener`` with every update that is kept, on the thread that added it; adding it twice has no effect.

        It must return quickly. Its exceptions are logged.
        """
        with self._lock:
            if listener not in self._listeners:
                self._listeners = (*self._listeners, listener)

    def remove_listener(self, listener: ProgressListener) -> None:
        """Stop calling ``listener``; does nothing if it was not added."""
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known != listener)

    def forget(self, execution_id: str) -> bool:
        """Drop an execution and return whether it was known. A later update adds it again."""
        with self._lock:
            return self._executions.pop(execution_id, None) is not None

    def executions(self) -> tuple[str, ...]:
        """Return the ids of known executions, the most recently updated one last."""
        with self._lock:
            return tuple(self._executions)

    def updates(self, execution_id: str) -> tuple[ProgressUpdate, ...]:
        """Return the newest update of each axis and channel; empty for an unknown execution."""
        with self._lock:
            return tuple(self._executions.get(execution_id, {}).values())

    def latest(self, execution_id: str, axis_id: str, channel: ProgressChannel) -> ProgressUpdate | None:
        """Return the newest update of one axis and channel; ``axis_id`` is empty for the whole plate."""
        with self._lock:
            known = self._executions.get(execution_id, {})
            return known.get(ProgressKey(execution_id, axis_id, channel))

    @property
    def counts(self) -> RegistryCounts:
        """Counts of added updates by outcome."""
        with self._lock:
            return RegistryCounts(kept=self._kept, stale=self._stale, bad=self._bad, dropped=self._dropped)

    def _keep(self, update: ProgressUpdate) -> bool:
        """Keep the update if it is the newest of its key, and return whether it is. The lock must be held."""
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
