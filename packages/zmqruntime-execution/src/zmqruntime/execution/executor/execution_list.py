"""The list of executions that an executor returns."""

from zmqruntime.messages import ExecutionSnapshot

__all__ = ["ExecutionList"]


class ExecutionList(list[ExecutionSnapshot]):
    """Executions, which a notebook shows as a table."""

    def _repr_html_(self) -> str:
        from zmqruntime.execution.html import executions_html  # noqa: PLC0415  for notebooks only

        return executions_html(self)
