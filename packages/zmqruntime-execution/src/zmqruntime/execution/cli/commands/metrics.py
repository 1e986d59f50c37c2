"""``metrics``: the metrics of a server for Prometheus."""

import contextlib
import threading

from zmqruntime.execution.cli.endpoint import Endpoint
from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode
from zmqruntime.execution.cli.output import Output

try:
    from zmqruntime.execution.metrics import MetricsExporter, ServerCollector
except ImportError as missing:
    raise CommandError(ErrorKind.MISSING_EXTRA, str(missing), ExitCode.FAILED) from missing

__all__ = ["serve_metrics"]


def serve_metrics(endpoint: Endpoint, address: str, port: int, output: Output) -> int:
    """Serve a server's metrics until Ctrl-C."""
    collector = ServerCollector(endpoint.port, host=endpoint.host, config=endpoint.config)
    try:
        exporter = MetricsExporter(collector, port, address)
    except OSError as error:
        message = (
            f"cannot serve on {address} port {port}: {error.strerror or error}; choose another with --port or --bind"
        )
        raise CommandError(ErrorKind.PORT_IN_USE, message) from error
    with exporter:
        output.line(
            f"Metrics of the server of {endpoint.app} on port {endpoint.port}: {exporter.url} (Ctrl-C ends this)"
        )
        output.document({"url": exporter.url})
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
    output.line("Stopped.")
    return 0
