"""Connects to a running Dask scheduler, or to a local cluster that it starts on this machine."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.comm import connect as open_comm
from distributed.security import Security
from distributed.utils import LoopRunner
from tornado.ioloop import IOLoop

from openhcs_runtime.config import LOCAL_CLUSTER
from openhcs_runtime.engine.executors.processes import NANNY, start_method, warm_up
from openhcs_runtime.engine.executors.worker import PRELOAD
from openhcs_runtime.exceptions import WorkerError

CONNECT_SECONDS = 10.0
RETRIES = 2
"""How often a well is retried after its worker was lost."""


def connect(address: str, workers: int, stack: contextlib.ExitStack) -> Client:
    """Connect to a scheduler.

    Args:
        address: address of the scheduler, or "local".
        workers: number of workers of a local cluster.
        stack: receives the client and everything to be closed after it.

    Returns:
        The client.

    Raises:
        WorkerError: there is no connection; everything has been closed again.
    """
    runner = LoopRunner()
    stack.callback(runner.stop)
    runner.start()
    try:
        scheduler: Any = address
        if address == LOCAL_CLUSTER:
            scheduler = stack.enter_context(_local_cluster(workers, runner.loop))
        else:
            runner.run_sync(_see_scheduler, address)  # a client that can't connect leaves a thread behind
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False, loop=runner.loop)
        return stack.enter_context(client)
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError, ImportError) as error:
        stack.close()
        raise WorkerError(_no_cluster(address, error)) from error


async def _see_scheduler(address: str) -> None:
    comm = await open_comm(address, timeout=CONNECT_SECONDS, **Security().get_connection_args("client"))
    await comm.close()


@contextlib.contextmanager
def _local_cluster(workers: int, loop: IOLoop) -> Iterator[LocalCluster]:
    """Start a cluster of worker processes on this machine; its temporary folder is removed when it ends.

    It uses its own TLS keys, because anyone who can talk to a scheduler can run code as its user.
    """
    folder = tempfile.mkdtemp(prefix="openhcs-dask-")
    warm_up(NANNY)
    settings = {
        "temporary-directory": folder,
        "distributed.worker.multiprocessing-method": start_method(),
        "distributed.worker.profile.enabled": False,
        "distributed.scheduler.work-stealing": False,
        "distributed.scheduler.allowed-failures": RETRIES,
        "distributed.deploy.lost-worker-timeout": "10000 days",  # so that a nanny slow to restart its worker stays
        "distributed.scheduler.worker-saturation": 1.0,  # a well waits at the scheduler, not behind one that may crash
    }
    try:
        with (
            dask.config.set(settings),
            LocalCluster(
                n_workers=workers,
                loop=loop,
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address=":0",
                scheduler_kwargs={"dashboard": False},
                protocol="tls://",
                security=Security.temporary(),
                local_directory=folder,
                preload=[PRELOAD],
            ) as cluster,
        ):
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _no_cluster(address: str, error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"a library that Dask needs is not installed ({error}): pip install 'openhcs-runtime[dask]'"
    if address == LOCAL_CLUSTER:
        return (
            f"the local Dask cluster can't be started: {error}. In a script, the code that runs the pipeline must be "
            "inside 'if __name__ == \"__main__\":'"
        )
    return (
        f"no reply from a Dask scheduler at {address} within {CONNECT_SECONDS:g} s ({type(error).__name__}): start one "
        "with 'dask scheduler', or check the address, the network and, for tls, the certificates"
    )
