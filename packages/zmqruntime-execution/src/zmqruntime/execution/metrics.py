"""Prometheus metrics of a running server; needs the extra ``metrics``.

The server itself knows nothing about Prometheus: it is queried when the metrics are fetched, and stays idle otherwise.
"""

import threading
from collections.abc import Iterable
from typing import Self

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ConnectionFailedError, RequestTimeoutError
from zmqruntime.execution.client.control import ExecutionControlClient
from zmqruntime.execution.lifecycle import TERMINAL
from zmqruntime.identity import ProcessIdentity
from zmqruntime.messages import ExecutionStatus, PongResponse, QueueState, StatusResponse
from zmqruntime.standing import ClientState

try:
    import psutil
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError(
        f"metrics need the extra 'metrics' ({error}): pip install 'zmqruntime-execution[metrics]'"
    ) from error

__all__ = ["MetricsExporter", "ServerCollector"]

_PREFIX = "zmqruntime"
_ATTACHED = (ClientState.CONNECTED, ClientState.SILENT)
_MOST_QUEUES = 100
_OTHERS = "(others)"
_ENDINGS = sorted({*TERMINAL, ExecutionStatus.INTERRUPTED})


class ServerCollector(Collector):
    """Queries one server on each collection; register it with any registry.

    ============================================= ======= ==========================================================
    ``zmqruntime_up``                             gauge   1 if the server answered; otherwise 0 and the only metric
    ``zmqruntime_server_info``                    info    class, version, application, port and process
    ``zmqruntime_executions_queued``              gauge   queued executions
    ``zmqruntime_executions_running``             gauge   running executions, including those being cancelled
    ``zmqruntime_executions_ended_total``         counter by ``status``, since the server started
    ``zmqruntime_workers``                        gauge   worker processes
    ``zmqruntime_queue_paused``                   gauge   1 while the server starts nothing
    ``zmqruntime_named_queue_queued``             gauge   queued executions, by ``queue``
    ``zmqruntime_named_queue_running``            gauge   running executions, by ``queue``
    ``zmqruntime_named_queue_paused``             gauge   1 while the queue is paused, by ``queue``
    ``zmqruntime_cpu_seconds_total``              counter of the server and all its descendant processes
    ``zmqruntime_memory_bytes``                   gauge   resident size, by ``part``: ``server``, ``workers``
    ============================================= ======= ==========================================================

    There is one label for each of the first 100 named queues by name, and ``(others)`` for the sum of the rest. The
    last two are only available for a server on this machine. The collector keeps one connection to the server's
    control channel until :meth:`close`.

    Args:
        port: Data port of the server, as for :class:`ExecutionClient`.
        host: Host of a TCP server.
        config: Settings shared by the server and its clients.
        timeout: Seconds the server has to answer.
    """

    def __init__(
        self,
        port: int | None = None,
        *,
        host: str | None = None,
        config: ZMQConfig | None = None,
        timeout: float = 5.0,
    ) -> None:
        self._port = port
        self._host = host
        self._config = config
        self._timeout = timeout
        self._lock = threading.Lock()
        self._client: ExecutionControlClient | None = None

    def collect(self) -> Iterable[Metric]:
        """Return the current metrics."""
        client = self._opened()
        up = GaugeMetricFamily(f"{_PREFIX}_up", "Whether the server answered.")
        try:
            if client.state not in _ATTACHED:
                client.connect(self._timeout)
            report = client.status(0, self._timeout)
        except (ConnectionFailedError, RequestTimeoutError):
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        processes = _processes(client.server) if client.is_local else []
        return [up, _info(client.server), *_executions(report), *processes]

    def close(self) -> None:
        """Release the connection; the next collection opens it again. May be called twice."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.disconnect()

    def _opened(self) -> ExecutionControlClient:
        with self._lock:
            if self._client is None:
                self._client = ExecutionControlClient(self._port, host=self._host, config=self._config)
            return self._client


class MetricsExporter:
    """Serves metrics over HTTP from a separate thread until it is closed; a context manager.

    Args:
        collector: Source of the metrics; a :class:`ServerCollector` is closed with it.
        port: Port to listen on; 0 selects a free one.
        address: Interface to listen on; any other than loopback exposes the metrics to everybody who can reach it.

    Raises:
        OSError: The port is in use, or the address does not exist.
    """

    def __init__(self, collector: Collector, port: int = 9464, address: str = "127.0.0.1") -> None:
        registry = CollectorRegistry()
        registry.register(collector)
        self._collector = collector
        self._server, self._thread = start_http_server(port, address, registry)
        name = f"[{address}]" if ":" in address else address
        self.url = f"http://{name}:{self._server.server_port}/metrics"
        """URL of the metrics."""
        self._lock = threading.Lock()
        self._is_closed = False

    def close(self) -> None:
        """Stop serving. Idempotent."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._server.shutdown()
                self._server.server_close()
                self._thread.join()
                if isinstance(self._collector, ServerCollector):
                    self._collector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _info(server: PongResponse) -> Metric:
    info = InfoMetricFamily(f"{_PREFIX}_server", "Identity of the server.")
    facts = {"server": server.server, "version": server.version, "app": server.app_name}
    info.add_metric([], {**facts, "port": str(server.port), "pid": str(server.pid)})
    return info


def _executions(report: StatusResponse) -> list[Metric]:
    ended = CounterMetricFamily(
        f"{_PREFIX}_executions_ended", "Executions that ended since the server started.", labels=["status"]
    )
    for status in _ENDINGS:
        ended.add_metric([status], report.ended.get(status, 0))
    return [
        GaugeMetricFamily(f"{_PREFIX}_executions_queued", "Queued executions.", report.queued),
        GaugeMetricFamily(f"{_PREFIX}_executions_running", "Running executions.", report.running),
        ended,
        GaugeMetricFamily(f"{_PREFIX}_workers", "Worker processes.", report.workers),
        GaugeMetricFamily(f"{_PREFIX}_queue_paused", "Whether the server starts nothing.", report.paused),
        *_queues(report.queues),
    ]


def _queues(queues: list[QueueState]) -> list[Metric]:
    """Return the metrics of named queues, with a limited number of labels."""
    prefix = f"{_PREFIX}_named_queue"
    queued = GaugeMetricFamily(f"{prefix}_queued", "Queued executions of a queue.", labels=["queue"])
    running = GaugeMetricFamily(f"{prefix}_running", "Running executions of a queue.", labels=["queue"])
    paused = GaugeMetricFamily(f"{prefix}_paused", "Whether the queue is paused.", labels=["queue"])
    for queue in queues[:_MOST_QUEUES]:
        queued.add_metric([queue.name], queue.queued)
        running.add_metric([queue.name], queue.running)
        paused.add_metric([queue.name], queue.paused)
    others = queues[_MOST_QUEUES:]
    if others:
        queued.add_metric([_OTHERS], sum(queue.queued for queue in others))
        running.add_metric([_OTHERS], sum(queue.running for queue in others))
    return [queued, running, paused]


def _processes(server: PongResponse) -> list[Metric]:
    """Return the resource usage of a server's processes; empty if they are not visible from here."""
    if not ProcessIdentity(server.pid, server.process_start).is_running():
        return []
    cpu, sizes = 0.0, {"server": 0, "workers": 0}
    try:
        root = psutil.Process(server.pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        return []
    for process in processes:
        try:
            cpu += sum(process.cpu_times()[:4])  # its own and that of children it has waited for
            sizes["server" if process.pid == server.pid else "workers"] += process.memory_info().rss
        except psutil.Error:
            continue  # it has ended in the meantime
    memory = GaugeMetricFamily(f"{_PREFIX}_memory_bytes", "Resident size of the processes.", labels=["part"])
    for part, number in sizes.items():
        memory.add_metric([part], number)
    return [CounterMetricFamily(f"{_PREFIX}_cpu_seconds", "Processor time of all processes.", cpu), memory]
