"""A server whose tasks make a span, fail or end their worker."""

import os
import sys

from zmqruntime import ExecuteRequest
from zmqruntime.execution import ExecutionServer


class TracingServer(ExecutionServer):
    def execute_task(self, execution_id: str, request: ExecuteRequest) -> bool:
        match request.payload:
            case "span":
                from opentelemetry import trace

                with trace.get_tracer("test").start_as_current_span("inside"):
                    pass
            case "raise":
                raise ValueError("no luck")
            case "exit":
                os._exit(3)
        return "opentelemetry" in sys.modules
