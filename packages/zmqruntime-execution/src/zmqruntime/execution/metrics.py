"""Figures of a running server for Prometheus; needs the extra ``metrics``.

The server itself knows nothing of Prometheus: it is asked when the figures are fetched, and an idle one stays idle.
"""

import threading
from collections.abc import Iterable
from typing import Self

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ConnectionFailedError, RequestTimeoutError
from zmqruntime.execution.client.control import ExecutionControlClient
from zmqruntime.execution.lifecycle import TERMINAL
from zmqruntime.identity import ProcessIdentity
from zmqruntime.messages import ExecutionStatus, PongResponse, StatusResponse
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
_ENDINGS = sorted({*TERMINAL, ExecutionStatus.INTERRUPTED})


class ServerCollector(Collector):
    """Asks one server for its figures each time they are collected; register it with any registry.

    ============================================= ======= ==========================================================
    ``zmqruntime_up``                             gauge   1 if the server answered; if not, the only figure
    ``zmqruntime_server_info``                    info    class, version, application, port and process
    ``zmqruntime_executions_queued``              gauge   executions that wait
    ``zmqruntime_executions_running``             gauge   executions that run, those being cancelled included
    ``zmqruntime_executions_ended_total``         counter by ``status``, since the server started
    ``zmqruntime_workers``                        gauge   worker processes
    ``zmqruntime_queue_paused``                   gauge   1 while nothing is started
    ``zmqruntime_cpu_seconds_total``              counter of the server and all processes below it
    ``zmqruntime_memory_bytes``                   gauge   resident size, by ``part``: ``server``, ``workers``
    ============================================= ======= ==========================================================

    The last two only for a server on this machine. It keeps one connection to the server's control channel, until
    :meth:`close`.

    Args:
        port, host, config: which server, as for :class:`ExecutionClient`.
        timeout: seconds that it has to answer.
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
        """The figures now."""
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
    """Serves figures over HTTP from a thread of its own until it is closed; a context manager.

    Args:
        collector: whose figures; a :class:`ServerCollector` is closed with it.
        port: where; 0 takes a free one.
        address: the interface; others than loopback show the figures to whoever reaches it.

    Raises:
        OSError: the port is taken, or there is no such address.
    """

    def __init__(self, collector: Collector, port: int = 9464, address: str = "127.0.0.1") -> None:
        registry = CollectorRegistry()
        registry.register(collector)
        self._collector = collector
        self._server, self._thread = start_http_server(port, address, registry)
        name = f"[{address}]" if ":" in address else address
        self.url = f"http://{name}:{self._server.server_port}/metrics"
        """Where the figures are."""
        self._lock = threading.Lock()
        self._is_closed = False

    def close(self) -> None:
        """Stop serving. May be called twice."""
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
    info = InfoMetricFamily(f"{_PREFIX}_server", "Which server it is.")
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
        GaugeMetricFamily(f"{_PREFIX}_executions_queued", "Executions that wait.", report.queued),
        GaugeMetricFamily(f"{_PREFIX}_executions_running", "Executions that run.", report.running),
        ended,
        GaugeMetricFamily(f"{_PREFIX}_workers", "Worker processes.", report.workers),
        GaugeMetricFamily(f"{_PREFIX}_queue_paused", "Whether nothing is started.", report.paused),
    ]


def _processes(server: PongResponse) -> list[Metric]:
    """What the processes of a server on this machine use; nothing if it cannot be seen from here."""
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
            cpu += sum(process.cpu_times()[:4])  # of itself and of its children that were waited for
            sizes["server" if process.pid == server.pid else "workers"] += process.memory_info().rss
        except psutil.Error:
            continue  # ended meanwhile
    memory = GaugeMetricFamily(f"{_PREFIX}_memory_bytes", "Resident size of the processes.", labels=["part"])
    for part, number in sizes.items():
        memory.add_metric([part], number)
    return [CounterMetricFamily(f"{_PREFIX}_cpu_seconds", "Processor time of all processes.", cpu), memory]
