"""``metrics``: the figures of a server, served to Prometheus."""

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


def serve_metrics(place: Endpoint, address: str, port: int, output: Output) -> int:
    """Serve a server's figures until Ctrl-C."""
    collector = ServerCollector(place.port, host=place.host, config=place.config)
    try:
        exporter = MetricsExporter(collector, port, address)
    except OSError as error:
        message = f"cannot serve on {address} port {port}: {error.strerror or error}; name another by --port or --bind"
        raise CommandError(ErrorKind.PORT_IN_USE, message) from error
    with exporter:
        output.line(f"Figures of the server of {place.app} on port {place.port}: {exporter.url} (Ctrl-C ends this)")
        output.document({"url": exporter.url})
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
    output.line("Ended.")
    return 0
