"""``runs.batches`` under the module name of earlier documents."""

from openhcs_gui_services.services.runs.batches import BatchWorkflowHost, BatchWorkflowService, CompileJob, RunJob

__all__ = ["BatchWorkflowHost", "BatchWorkflowService", "CompileJob", "RunJob"]
