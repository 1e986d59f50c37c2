"""``stop``: the end of a server."""

from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Host, Json, Port

__all__ = ["stop"]


def stop(port: Port = 7777, host: Host = None, as_json: Json = False) -> int:
    """Stop the server and wait until it has ended.

    Runs that are under way are interrupted; 'openhcs-runtime resume', or the next server, goes on with them.

    \b
      openhcs-runtime stop
      openhcs-runtime stop --port 7800
    """
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint
        from zmqruntime.execution.cli.endpoint import attached_or_none
        from zmqruntime.execution.cli.executions import stop_server
        from zmqruntime.execution.cli.output import Output
    endpoint, output = PlateEndpoint(port, host), Output(as_json)
    with attached_or_none(endpoint) as client:
        if client is None:
            output.line(f"Nothing to stop: {endpoint.absence}.")
            return output.document({"port": port, "stopped": False, "pid": None, "interrupted": []})
        stopped = stop_server(client)
    output.line(f"Stopped the server on port {port} (process {stopped.pid}).")
    for entry in stopped.running:
        output.line(f"Interrupted {entry.execution_id} on {entry.plate_id}; 'openhcs-runtime resume' goes on with it.")
    interrupted = [entry.execution_id for entry in stopped.running]
    return output.document({"port": port, "stopped": True, "pid": stopped.pid, "interrupted": interrupted})
