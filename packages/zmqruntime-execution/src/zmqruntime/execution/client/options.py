"""How a submitted task is to run."""

from typing import TypedDict

from zmqruntime.environment import TaskEnvironment
from zmqruntime.messages import Concurrency, QueueState, Rate, Schedule

__all__ = ["Concurrency", "QueueState", "Rate", "Schedule", "SubmitOptions"]


class SubmitOptions(TypedDict, total=False):
    """How to run an execution: priority, limits, retries and environment. All times are in seconds.

    Attributes:
        plate_id: Label of what the task works on; part of its progress and status.
        priority: Executions with a higher priority run earlier; 0 by default.
        soft_time_limit: Time after which the task is asked to stop and fails.
        time_limit: Time after which the task is killed and fails.
        max_retries: How often to retry the task after a failure; 0 by default.
        retry_delay: Pause before the first retry, doubled for each further one; 1 by default.
        resumable: Whether the execution returns to the queue, with its checkpoints, if the server ends while it is
            running.
        environment: Environment to start the worker process with, for example ``TaskEnvironment.current()``; the
            server's own environment by default. A worker that was started with an equal one is reused.
        name: Label of the task, at most 200 characters; shown in status, history and the command line.
        queue: Name of the queue that it waits in, ``default`` by default; each queue can be paused and limited.
        after: Ids of executions that must be complete before it starts. If one of them ends otherwise, it fails with
            an error that names that execution.
        resources: Amounts of the server's resources that it takes while it runs, such as
            ``{"gpu": 1, "memory": 4e9}``; memory is in bytes.
        concurrency: Limits how many executions with the same key run at once.
        rate: Limits how many executions with the same key start in a period.
        trace: Context of the trace that it belongs to.
        submission_id: Id of the execution: 8 to 64 letters, digits, ``_`` and ``-``. Submitting the same again with the
            same id is the same execution, and does not run it twice; another submission with it is refused. A new one
            by default.
    """

    plate_id: str
    priority: int
    soft_time_limit: float | None
    time_limit: float | None
    max_retries: int
    retry_delay: float
    resumable: bool
    environment: TaskEnvironment | None
    name: str
    queue: str
    after: list[str]
    resources: dict[str, float]
    concurrency: Concurrency | None
    rate: Rate | None
    trace: str
    submission_id: str
