"""The deprecated remote orchestrator under its earlier module name."""

from openhcs_runtime.service.remote_orchestrator import RemoteOrchestrator

__all__ = ["RemoteOrchestrator"]
