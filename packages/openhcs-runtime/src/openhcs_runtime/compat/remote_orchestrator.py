"""The deprecated orchestrator of earlier documents, under their module name."""

from openhcs_runtime.service.remote_orchestrator import RemoteOrchestrator

__all__ = ["RemoteOrchestrator"]
