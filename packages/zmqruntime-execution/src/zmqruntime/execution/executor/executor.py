"""The executor: functions as durable tasks, with the interface of ``concurrent.futures``."""

import concurrent.futures
import copy
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Self, TypeVar, Unpack, overload

from zmqruntime.config import ZMQConfig
from zmqruntime.environment import TaskEnvironment
from zmqruntime.execution.cells import running_shell
from zmqruntime.execution.client.client import ExecutionClient
from zmqruntime.execution.executor.execution_list import ExecutionList
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.executor.id_beginnings import future_of
from zmqruntime.execution.executor.inline import InlineLink
from zmqruntime.execution.executor.link import Link, ServerLink, ServerOptions
from zmqruntime.execution.executor.mapping import mapped
from zmqruntime.execution.executor.names import check_name
from zmqruntime.execution.executor.option_rules import check_key, check_option, check_timing, checked_after
from zmqruntime.execution.executor.options import TaskOptions, check_options
from zmqruntime.execution.executor.pickling import CloudPickler
from zmqruntime.execution.executor.places import Links

if TYPE_CHECKING:
    from zmqruntime.execution.executor.cell_interrupts import CellInterrupts
from zmqruntime.execution.executor.submission import Submitter, Timing
from zmqruntime.execution.scripts import end_load
from zmqruntime.messages import Schedule

__all__ = ["Executor"]

P = ParamSpec("P")
T = TypeVar("T")


class Executor(concurrent.futures.Executor):
    """Runs functions in the background server of a name, which is started if it is not running.

    A submission is on disk before ``submit`` returns. It outlives this program, the server and the worker: after a
    crash the function is called again, and :meth:`future` gives the result to any program of the same user.

    Args:
        name: Name of the executor; one server of this user on this machine has it, whichever program asks.
        max_workers: How many functions run at the same time; by default one for each CPU, at most 16.
        allow_pickle: Whether to send functions and values by cloudpickle that have no other way. The server then runs
            any code that a client sends, so it is refused on TCP without keys.
        resources: What functions can ask for with the option ``resources``, such as ``{"gpu": 2}``; memory in bytes and
            threads are those of the machine by default.
        cancel_grace: Seconds that a running function has to stop after :meth:`TaskFuture.cancel`, before it is killed.
        environment: Environment variables, working folder and search path of the functions: those of this program
            (``"client"``), those with which the server was started (``"server"``), or others.
        config: Settings shared by the server and its clients.
        host: Host of a TCP server; needs ``port``, and never starts one.
        port: Data port of the server; by default the one that belongs to ``name``.
        persistent: Whether a server that is started here outlives this program.
        cancel_on_interrupt: Whether Ctrl-C cancels what this executor has submitted, in a notebook what the interrupted
            cell has submitted; by default only in a notebook.
        inline: Whether to call functions in this process, each at once in ``submit``, for tests and debuggers: without
            a server, but with the same checks of arguments, results, dependencies and errors. Of :class:`TaskOptions`,
            ``backoff``, ``time_limit``, ``soft_time_limit``, ``priority``, ``queue``, ``resources``, ``concurrency``,
            ``rate``, ``env``, ``cwd`` and ``resumable`` have no effect, and of the executor ``max_workers`` and
            ``environment``. ``SystemExit`` of a function fails its execution, as on a server; ``KeyboardInterrupt`` is
            the user's Ctrl-C and goes through ``submit``.

    Raises:
        ConfigurationError: The name cannot be one, or an option does not fit the others.
        TypeError: An option is of the wrong type.
        ValueError: The value of an option is not allowed, such as ``max_workers`` below 1.
    """

    def __init__(
        self,
        name: str = "default",
        *,
        max_workers: int | None = None,
        allow_pickle: bool = False,
        resources: dict[str, float] | None = None,
        cancel_grace: float = 5.0,
        environment: Literal["client", "server"] | TaskEnvironment = "client",
        config: ZMQConfig | None = None,
        host: str | None = None,
        port: int | None = None,
        persistent: bool = True,
        cancel_on_interrupt: bool | None = None,
        inline: bool = False,
    ) -> None:
        check_name(name)
        check_option("max_workers", max_workers)
        check_option("cancel_grace", cancel_grace)
        check_option("resources", resources or {})
        options = ServerOptions(
            name=name,
            max_workers=max_workers,
            allow_pickle=allow_pickle,
            resources=resources,
            cancel_grace=cancel_grace,
            environment=environment,
            config=config or ZMQConfig(),
            host=host,
            port=port,
            persistent=persistent,
        )
        pickler = CloudPickler() if allow_pickle else None
        own: Link = InlineLink(pickler) if inline else ServerLink(options, pickler)
        self._links = Links(own, name, pickler)
        self._submitter = Submitter(self._links, pickler)
        self._name = name
        self._options: TaskOptions = {}
        self._key: str | None = None
        self._after: tuple[TaskFuture[Any] | str, ...] = ()
        self._cancel_on_interrupt = bool(cancel_on_interrupt)
        self._root: Executor | None = None
        self._has_said_left = False
        on_interrupt = weakref.WeakMethod(self._on_interrupt)  # the executor must not live as long as its futures
        own.on_interrupted = lambda: None if (method := on_interrupt()) is None else method()
        self._finalizer = weakref.finalize(self, own.shut)
        self._finalizer.atexit = False
        self._cell = None if inline else self._interrupts_of_cells(cancel_grace, cancel_on_interrupt)

    @property
    def name(self) -> str:
        """Name of the executor."""
        return self._name

    @property
    def _link(self) -> Link:
        return self._links.now

    @property
    def client(self) -> ExecutionClient:
        """The client of the server, for what an executor does not have, such as the order of the queue.

        Raises:
            ConnectionFailedError: The server cannot be reached or started.
        """
        return self._link.client

    # --- submitting ----------------------------------------------------------------------------------------------

    @overload
    def submit(
        self,
        fn: Callable[..., T],
        /,
        *args: Any,
        key: str,
        after: Sequence[TaskFuture[Any] | str] = (),
        **kwargs: Any,
    ) -> TaskFuture[T]: ...
    @overload
    def submit(
        self, fn: Callable[..., T], /, *args: Any, after: Sequence[TaskFuture[Any] | str], **kwargs: Any
    ) -> TaskFuture[T]: ...
    @overload
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[T]: ...
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> TaskFuture[Any]:
        """Call a function in the background and return its future, once the submission is on the server's disk.

        Type checkers compare the arguments with the function. With ``key`` or ``after`` they cannot; with
        ``executor.options(key=...).submit(...)`` they can.

        Args:
            fn: A function that another process can import.
            args: Its positional arguments.
            key: Text that makes this the same execution however often, and in whichever program, it is submitted.
            after: Futures or execution ids that must be complete before it starts; it fails if one of them does not.
            kwargs: Its keyword arguments.

        Raises:
            TypeError: The arguments do not fit the function, or another process cannot import it.
            UnsendableError: An argument cannot be sent.
            KeyUsedError: The key belongs to a call of another function or with other arguments.
            RequestRefusedError: The server does not accept it.
            RuntimeError: The executor was shut down.
        """
        key, after = self._key, self._after
        if kwargs.keys() & {"key", "after"}:
            self._submitter.check_no_clash(fn, kwargs)
            key, after = kwargs.pop("key", key), checked_after(kwargs.pop("after", after))
        return self._submitter.submit(fn, args, kwargs, self._options, key=key, after=after)

    def map(
        self,
        fn: Callable[..., T],
        /,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Call a function with the items of iterables and iterate over the results in their order.

        The calls are submitted in batches, each item as an execution of its own unless ``chunksize`` is above 1.

        Args:
            fn: A function that another process can import.
            iterables: Its arguments, as for the built-in ``map``.
            timeout: Seconds from now within which each result must arrive.
            chunksize: How many items one execution takes.
            buffersize: How many executions are submitted ahead of the result that is read; by default all of them.

        Raises:
            TimeoutError: A result did not arrive in time; the remaining executions are cancelled, as they are when
                the iterator is closed early.
        """
        if self._key is not None:
            raise TypeError("map has many executions, which cannot share a key: use submit with a key for each item")
        submit = self._submitter.batches(fn, self._options, self._after, in_chunks=chunksize > 1)
        cancel = self._link.cancel_all
        return mapped(submit, cancel, iterables, timeout=timeout, chunksize=chunksize, buffersize=buffersize)

    def options(
        self, *, key: str | None = None, after: Sequence[TaskFuture[Any] | str] = (), **options: Unpack[TaskOptions]
    ) -> Self:
        """Return a view of this executor that submits with these options; see :class:`TaskOptions`.

        Raises:
            TypeError: There is no such option, or it is of the wrong type.
            ValueError: The value of an option is not allowed.
        """
        check_options({**self._options, **options})
        if key is not None:
            check_key(key)
        view = copy.copy(self)
        view._root = self._root or self
        view._options = TaskOptions(**{**self._options, **options})
        view._key = self._key if key is None else key
        view._after = checked_after((*self._after, *checked_after(after)))
        return view

    def schedule(
        self,
        name: str,
        fn: Callable[..., Any],
        /,
        *args: Any,
        every: float | None = None,
        cron: str | None = None,
        timezone: str | None = None,
    ) -> Schedule:
        """Have the server call a function again and again, also while no program is connected.

        Each due time gives one execution. If due times pass while no server is running, one execution makes up for
        them. The same call again keeps the next due time; other arguments replace the schedule.

        Args:
            name: Name of the schedule.
            fn: A function that another process can import.
            args: Its arguments.
            every: Seconds from one execution to the next.
            cron: The due times as text of five fields, such as ``0 3 * * mon-fri``; needs the extra ``[schedules]``.
            timezone: Time zone of ``cron``, such as ``Europe/Madrid``; UTC by default.

        Raises:
            TypeError: The arguments do not fit the function, or another process cannot import it.
            ValueError: The name or a time is not allowed.
            RequestRefusedError: The server cannot keep this schedule.
            RuntimeError: The executor was shut down.
        """
        check_timing(name, every, cron, timezone)
        if self._key is not None or self._after:
            raise TypeError(
                "a schedule has many executions, which cannot share a key or wait for others: leave both out"
            )
        return self._submitter.schedule(name, fn, args, self._options, Timing(every, cron, timezone))

    # --- executions of any program ---------------------------------------------------------------------------------

    def future(self, execution_id: str) -> TaskFuture[Any]:
        """Return a future of an execution that any program has submitted to this executor, whether it has ended or not.

        Args:
            execution_id: Its id, or a beginning of it that no other execution has.

        Raises:
            RequestRefusedError: There is no such execution, or several begin like that.
            TypeError: It is not text.
        """
        return future_of(self._link, execution_id)

    def executions(self, limit: int = 100) -> ExecutionList:
        """Return the executions of this executor: running ones, up to 200 queued ones, and the latest that have ended.

        Args:
            limit: How many ended ones at most.
        """
        return ExecutionList(self._link.executions(limit))

    # --- ending ----------------------------------------------------------------------------------------------------

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more submissions from this program. The server and the executions of others are not affected.

        Args:
            wait: Whether to wait until all futures of this executor are done.
            cancel_futures: Whether to cancel those whose functions have not started.
        """
        self._link.shut()
        if cancel_futures:
            self._link.cancel_all(self._link.open_futures(), queued_only=True)
        if wait:
            concurrent.futures.wait(self._link.open_futures())
            self._link.close()

    def __enter__(self) -> Self:
        end_load()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._on_interrupt()
            self._link.close()
        else:
            self.shutdown(wait=True)

    def _interrupts_of_cells(self, grace_seconds: float, cancels: bool | None) -> "CellInterrupts | None":
        """Return what handles interrupts of cells, if this program is a notebook."""
        shell = running_shell()
        if shell is None:
            return None
        from zmqruntime.execution.executor.cell_interrupts import CellInterrupts  # noqa: PLC0415  for notebooks only
        from zmqruntime.execution.executor.future_lists import show_lists_of_futures  # noqa: PLC0415

        show_lists_of_futures(shell)
        name = self.name
        cell = CellInterrupts(
            shell,
            grace_seconds,
            self._link.cancel_all,
            lambda futures: print(_left_text(name, futures), file=sys.stderr),
            cancels=cancels is not False,
        )
        self._links.own.on_submitted = cell.note
        return cell

    def _on_interrupt(self) -> None:
        """Cancel what goes on, or say what it is."""
        if self._cell is not None:
            self._cell.interrupt()
            return
        futures = self._link.open_futures()
        if self._has_said_left or not futures:
            return
        self._has_said_left = True
        if self._cancel_on_interrupt:
            self._link.cancel_all(futures)
            return
        print(_left_text(self.name, futures), file=sys.stderr)


_IDS_SHOWN = 10


def _left_text(name: str, futures: Sequence[TaskFuture[Any]]) -> str:
    some = "".join(f"\n  {future.execution_id}  {future.name}" for future in futures[:_IDS_SHOWN])
    more = f"\n  and {len(futures) - _IDS_SHOWN:,} more" if len(futures) > _IDS_SHOWN else ""
    noun = "execution goes" if len(futures) == 1 else "executions go"
    return (
        f"{len(futures):,} {noun} on in executor {name!r}; Executor({name!r}).future(id) gives the result, "
        f"and .future(id).cancel() stops it:{some}{more}"
    )
