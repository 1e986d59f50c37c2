"""``compat.execution_service`` under the module name of earlier documents."""

from openhcs_gui_services.services.compat.execution_service import ExecutionHost, ZMQExecutionService

__all__ = ["ExecutionHost", "ZMQExecutionService"]
