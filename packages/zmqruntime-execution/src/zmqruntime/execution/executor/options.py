"""Options of tasks: how a function is run, retried and limited."""

import os
from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec

from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.execution.client.options import Concurrency, Rate, SubmitOptions
from zmqruntime.execution.executor.functions import NotImportableError, reference_of
from zmqruntime.execution.executor.option_rules import check_option, rate_of

__all__ = ["Declared", "TaskOptions", "check_options", "retry_references", "submit_options", "task_environment"]


class Declared:
    """A function that has options of its own.

    Attributes:
        options: They apply wherever it is submitted, unless the executor has others.
    """

    options: "TaskOptions"


class TaskOptions(TypedDict, total=False):
    """Options of a task, for ``@task(...)`` and ``Executor.options(...)``. All times are in seconds.

    Attributes:
        retries: How often the function is called again after it has raised an exception; 0 by default.
        retry_on: The exceptions after which it is; any by default.
        backoff: Pause before the first retry, doubled for each further one; 1 by default.
        time_limit: Time after which the function is killed and has failed.
        soft_time_limit: Time after which it is asked to stop and has failed.
        priority: Tasks with a higher priority run earlier; 0 by default.
        queue: Name of the queue that it waits in, ``default`` by default; each queue can be paused and limited.
        resources: Amounts of the server's resources that it takes while it runs, such as
            ``{"gpu": 1, "memory": 4e9}``; memory is in bytes.
        concurrency: How many calls of this function run at once, or a :class:`Concurrency` that several share.
        rate: How many calls of this function start in a period, such as ``"10/min"``, or a :class:`Rate` that several
            functions share.
        env: Environment variables to set for it, in addition to those of the program.
        cwd: Its working folder; the one of the program by default.
        resumable: Whether it runs again, with its checkpoints, if the server or its worker dies under it; true by
            default.
        bars: Whether progress bars of tqdm in it become progress of the task.
    """

    retries: int
    retry_on: tuple[type[Exception], ...]
    backoff: float
    time_limit: float | None
    soft_time_limit: float | None
    priority: int
    queue: str
    resources: dict[str, float]
    concurrency: int | Concurrency | None
    rate: str | Rate | None
    env: Mapping[str, str]
    cwd: str | os.PathLike[str]
    resumable: bool
    bars: bool


def check_options(options: TaskOptions) -> None:
    """Check the options.

    Raises:
        TypeError: There is no such option, or it is of the wrong type.
        ValueError: A value is not allowed.
        ConfigurationError: Exceptions to retry on cannot be imported by another process.
    """
    unknown = options.keys() - TaskOptions.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"{min(unknown)!r} is not an option of a task; the options are {', '.join(TaskOptions.__annotations__)}"
        )
    for name, value in options.items():
        check_option(name, value)
    if "retry_on" in options:
        if options.get("retries", 0) < 1:
            raise ConfigurationError("retry_on has no effect without retries: say how often, for example retries=3")
        retry_references(options)


def retry_references(options: TaskOptions) -> list[str] | None:
    """Return the names of the exceptions after which a function is called again; None for any.

    Raises:
        TypeError: One of them is not an exception.
        ConfigurationError: One cannot be imported by another process.
    """
    kinds: Any = options.get("retry_on")
    if kinds is None:
        return None
    references = []
    for kind in kinds if isinstance(kinds, (tuple, list)) else (kinds,):
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError(f"retry_on must be exception classes, not {kind!r}")
        try:
            references.append(reference_of(kind))
        except NotImportableError as error:
            raise ConfigurationError(f"{kind.__name__} in retry_on cannot be found by a worker: {error}") from error
    return references


def submit_options(options: TaskOptions, name: str) -> SubmitOptions:
    """Return the options of submissions of the function ``name``, without their environment."""
    return SubmitOptions(
        name=name,
        priority=int(options.get("priority", 0)),
        time_limit=_seconds(options.get("time_limit")),
        soft_time_limit=_seconds(options.get("soft_time_limit")),
        max_retries=int(options.get("retries", 0)),
        retry_delay=float(options.get("backoff", 1.0)),
        resumable=options.get("resumable", True),
        queue=options.get("queue", "default"),
        resources={resource: float(amount) for resource, amount in options.get("resources", {}).items()},
        concurrency=_concurrency_of(options.get("concurrency"), name),
        rate=_rate_of(options.get("rate"), name),
    )


def _seconds(given: float | None) -> float | None:
    return None if given is None else float(given)


def _concurrency_of(given: int | Concurrency | None, name: str) -> Concurrency | None:
    return given if given is None or isinstance(given, Concurrency) else Concurrency(name, int(given))


def _rate_of(given: str | Rate | None, name: str) -> Rate | None:
    return rate_of(given, name) if isinstance(given, str) else given


def task_environment(base: TaskEnvironment | None, options: TaskOptions) -> TaskEnvironment | None:
    """Return the environment of a task: ``base`` with the changes that its options ask for."""
    env, cwd = options.get("env"), options.get("cwd")
    if env is None and cwd is None:
        return base
    found = base or TaskEnvironment.current()
    return msgspec.structs.replace(
        found,
        variables={**found.variables, **(env or {})},
        folder=found.folder if cwd is None else os.path.abspath(cwd),
    )
