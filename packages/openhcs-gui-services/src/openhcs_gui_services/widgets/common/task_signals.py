"""Qt signals of a task that is running in the background: started, progress, lines, and how it ended."""

import concurrent.futures
import contextlib
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, Self

from PyQt6.QtCore import QObject, Qt, pyqtSignal, pyqtSlot

from openhcs_gui_services.services.runs.execution_end import ExecutionEnd
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.client.followers import IteratorSink
from zmqruntime.messages import Event, ExecutionStatus, LogLine, ProgressUpdate, StateChange

if TYPE_CHECKING:
    from zmqruntime.execution import TaskFuture

__all__ = ["TaskSignals"]

_EVENTS_PER_TURN = 200

Outcome = concurrent.futures.Future[Any]


class _Source(Protocol):
    """Where the events and the end of a task come from."""

    def opened(self) -> contextlib.AbstractContextManager[IteratorSink]:
        """Provide the events from the first one, as they arrive."""

    def add_done_callback(self, tell: Callable[[Outcome], object], /) -> None:
        """Call ``tell`` with the outcome, in any thread; asked for after the last event."""


class TaskSignals(QObject):
    """The signals of one task, emitted in the thread that this object belongs to, without polling.

    They begin with what has happened already, so nothing is missed if the task has been running for a while or has
    ended. Exactly one of ``succeeded``, ``failed`` and ``cancelled`` is emitted, after everything else, and then
    ``finished``. Deleting this object, or its parent, ends the following; the task goes on.

    Args:
        task: future of the task, from :meth:`Executor.submit` or :meth:`Executor.future`.
        parent: Qt parent; keep a reference to this object if there is none.
    """

    started = pyqtSignal()
    """It is running; again after each retry."""
    progress = pyqtSignal(object)
    """A ``ProgressUpdate``."""
    line = pyqtSignal(object)
    """A ``LogLine`` that it logged or printed."""
    succeeded = pyqtSignal(object)
    """What it returned."""
    failed = pyqtSignal(object)
    """The exception that it raised, or why its end cannot be known."""
    cancelled = pyqtSignal()
    """It was stopped before it had a result."""
    finished = pyqtSignal()
    """It has ended, in whichever way."""

    _arrived = pyqtSignal()

    def __init__(self, task: "TaskFuture[Any]", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._follow(task)

    @classmethod
    def of_execution(cls, client: ExecutionClient, execution_id: str, parent: QObject | None = None) -> Self:
        """Return the signals of an execution of any server, such as a plate.

        ``succeeded`` has the result as the task returned it, ``failed`` a ``TaskFailed`` with its error.

        Args:
            client: connected to the server.
            execution_id: id of the execution, submitted by any program.
            parent: Qt parent.
        """
        made = cls.__new__(cls)
        QObject.__init__(made, parent)
        made._follow(ExecutionEnd(client, execution_id))
        return made

    def _follow(self, source: _Source) -> None:
        self._source = source
        self._outcome: Outcome | None = None
        self._are_events_over = False
        self._is_posted = threading.Event()
        self._arrived.connect(self._take, Qt.ConnectionType.QueuedConnection)  # type: ignore[call-arg]  # PyQt's stubs lack it
        self._following = contextlib.ExitStack()
        weakref.finalize(self, self._following.close).atexit = False
        self._wake = _waking(self, self._following)
        self._sink = self._following.enter_context(source.opened())
        self._sink.on_change = self._wake
        self._wake()

    @pyqtSlot()
    def _take(self) -> None:
        self._is_posted.clear()
        if not self._are_events_over:
            self._take_events()
        if self._are_events_over and self._outcome is not None:
            outcome, self._outcome = self._outcome, None
            self._tell_end(outcome)

    def _take_events(self) -> None:
        try:
            events = self._sink.take(_EVENTS_PER_TURN)
        except ZMQRuntimeError:  # the outcome says so as well
            events = None
        if events is None:
            self._are_events_over = True
            self._following.close()
            self._source.add_done_callback(self._note_outcome)
            return
        for event in events:
            self._tell(event)
        if events:  # there may be more, or these were the last ones
            self._wake()

    def _note_outcome(self, outcome: Outcome) -> None:
        """Remember how it ended; in any thread."""
        self._outcome = outcome
        self._wake()

    def _tell(self, event: Event) -> None:
        match event:
            case ProgressUpdate():
                self.progress.emit(event)
            case LogLine():
                self.line.emit(event)
            case StateChange(execution=execution) if execution.status is ExecutionStatus.RUNNING:
                self.started.emit()

    def _tell_end(self, outcome: Outcome) -> None:
        if outcome.cancelled():
            self.cancelled.emit()
        elif (error := outcome.exception()) is not None:
            self.failed.emit(error)
        else:
            self.succeeded.emit(outcome.result())
        self.finished.emit()


def _waking(signals: TaskSignals, following: contextlib.ExitStack) -> Callable[[], None]:
    """Return what makes it look for news, from any thread; it does not keep the object alive.

    What Qt has deleted while Python still has it ends the following with the next news. Not by the signal
    ``destroyed``: a Python slot of it can run while PyQt is already freeing it.
    """
    known, is_posted = weakref.ref(signals), signals._is_posted

    def wake() -> None:
        found = known()
        if found is None or is_posted.is_set():
            return
        is_posted.set()
        try:
            found._arrived.emit()
        except RuntimeError:  # Qt has deleted it
            following.close()

    return wake
