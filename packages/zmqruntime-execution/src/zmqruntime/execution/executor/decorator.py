"""``@task``: a function with its options, called in place or in the background."""

import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from zmqruntime.execution.executor.executor import Executor
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.executor.names import check_name
from zmqruntime.execution.executor.options import Declared, TaskOptions, check_options

__all__ = ["Function", "task"]

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Function(Declared, Generic[P, T_co]):
    """A function that is a task: calling it runs it here, :meth:`submit` in the background.

    Made by :func:`task`.

    Attributes:
        executor_name: Name of the executor that runs it.
        options: Options of its executions.
    """

    def __init__(self, function: Callable[P, T_co], executor_name: str, options: TaskOptions) -> None:
        self.executor_name = executor_name
        self.options = options
        self._function = function
        self._lock = threading.Lock()
        self._executor: Executor | None = None
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co:
        """Call the function in this process."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<task {self._function.__qualname__} of executor {self.executor_name!r}>"

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[T_co]:
        """Call the function in the background; see :meth:`Executor.submit`."""
        return self.executor.submit(self, *args, **kwargs)

    def map(
        self,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T_co]:
        """Call the function with the items of iterables, in the background; see :meth:`Executor.map`."""
        return self.executor.map(self, *iterables, timeout=timeout, chunksize=chunksize, buffersize=buffersize)

    @property
    def executor(self) -> Executor:
        """The executor that it is submitted to, with its options; made when it is first needed."""
        with self._lock:
            if self._executor is None:
                self._executor = Executor(self.executor_name)
            return self._executor

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._function)


@overload
def task(function: Callable[P, T], /) -> Function[P, T]: ...
@overload
def task(
    *, executor: str = "default", **options: Unpack[TaskOptions]
) -> Callable[[Callable[P, T]], Function[P, T]]: ...
def task(
    function: Callable[..., Any] | None = None, /, *, executor: str = "default", **options: Unpack[TaskOptions]
) -> Any:
    """Make a function a task; ``@task`` or ``@task(retries=3, ...)``.

    Args:
        function: The function.
        executor: Name of the executor that runs it.
        options: See :class:`TaskOptions`.

    Raises:
        TypeError: There is no such option, or it is of the wrong type.
        ValueError: The value of an option is not allowed.
        ConfigurationError: ``executor`` cannot be a name.
    """
    check_name(executor)
    check_options(options)

    def made(fn: Callable[..., Any]) -> Function[..., Any]:
        return Function(fn, executor, options)

    return made if function is None else made(function)
