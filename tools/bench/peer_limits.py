"""Which of the jobs in peers/ a library does not do, and where its documentation or its maintainers say so."""

from dataclasses import dataclass
from types import MappingProxyType

from peer_programs import Job, Library


@dataclass(frozen=True, slots=True)
class Limit:
    """Why there is no program, and the page that says it."""

    text: str
    source: str


_HUEY_REVOKE = Limit(
    "A task can be revoked until it starts; a running one has to look at a flag of your own.",
    "https://huey.readthedocs.io/en/latest/guide.html#canceling-or-pausing-tasks",
)
_TASKIQ_CANCEL = Limit(
    "Cancelling a task is an open request; `timeout` does not stop a function that is not async.",
    "https://github.com/taskiq-python/taskiq/issues/183",
)
_DASK_STATE = Limit(
    "The state of the scheduler is not kept: after its end, records of computations are lost.",
    "https://distributed.dask.org/en/stable/resilience.html#scheduler-failure",
)
_DASK_CANCEL = Limit(
    "`cancel` stops what has not started; a running function goes on to its end in its thread.",
    "https://github.com/dask/distributed/issues/4694",
)
_IPYPARALLEL_QUEUE = Limit(
    "The queue is in memory. With `--sqlitedb` the controller keeps requests and results in a database, from which a "
    "program can query and resubmit them.",
    "https://ipyparallel.readthedocs.io/en/latest/db.html",
)
_JOBLIB_QUEUE = Limit(
    "Calls belong to the program that makes them. `Memory` keeps results, so that a second run does not repeat a call.",
    "https://joblib.readthedocs.io/en/latest/memory.html",
)
_JOBLIB_CANCEL = Limit(
    "`Parallel` returns when its calls have ended; `timeout` limits the time of each of them.",
    "https://joblib.readthedocs.io/en/latest/generated/joblib.Parallel.html",
)
_EXECUTORLIB_QUEUE = Limit(
    "On one machine, calls end with the program, and a cache directory keeps their results. With SLURM or flux, jobs "
    "stay in the queue of the cluster.",
    "https://executorlib.readthedocs.io/en/latest/2-hpc-cluster.html",
)
_EXECUTORLIB_CANCEL = Limit(
    "`cancel_futures` leaves calls that are running; with SLURM or flux, `terminate_tasks_in_cache` ends their jobs.",
    "https://executorlib.readthedocs.io/en/latest/api.html",
)

LIMITS = MappingProxyType(
    {
        (Library.HUEY, Job.CANCEL): _HUEY_REVOKE,
        (Library.TASKIQ, Job.CANCEL): _TASKIQ_CANCEL,
        (Library.DASK, Job.DURABLE): _DASK_STATE,
        (Library.DASK, Job.LATER): _DASK_STATE,
        (Library.DASK, Job.RESUME): _DASK_STATE,
        (Library.DASK, Job.CANCEL): _DASK_CANCEL,
        (Library.IPYPARALLEL, Job.DURABLE): _IPYPARALLEL_QUEUE,
        (Library.IPYPARALLEL, Job.LATER): _IPYPARALLEL_QUEUE,
        (Library.IPYPARALLEL, Job.RESUME): _IPYPARALLEL_QUEUE,
        (Library.JOBLIB, Job.DURABLE): _JOBLIB_QUEUE,
        (Library.JOBLIB, Job.LATER): _JOBLIB_QUEUE,
        (Library.JOBLIB, Job.CANCEL): _JOBLIB_CANCEL,
        (Library.EXECUTORLIB, Job.DURABLE): _EXECUTORLIB_QUEUE,
        (Library.EXECUTORLIB, Job.LATER): _EXECUTORLIB_QUEUE,
        (Library.EXECUTORLIB, Job.CANCEL): _EXECUTORLIB_CANCEL,
    }
)
