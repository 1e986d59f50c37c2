"""Whether a worker process that has processed the wells of a run may process those of another one."""

from openhcs_runtime.pipeline.patches import patches_here
from openhcs_runtime.pipeline.pickling import PackedJob
from openhcs_runtime.pipeline.used_files import UsedFiles, read_recorder
from zmqruntime.execution.workers.loaded_code import LoadedModules

__all__ = ["Freshness"]

_MOST_FILES = 500
"""Files that a worker may have read and still be kept: each becomes part of the record of its later wells."""


class Freshness:
    """Compares the code and the files that this process has loaded with their current state.

    A function may keep what it has read, so a process that has read files only serves runs that call the same functions
    (and perhaps more), and only as long as none of these files has changed.

    Args:
        modules: the modules of this process.
    """

    def __init__(self, modules: LoadedModules) -> None:
        self._modules = modules
        self._modules.note_fork()
        self._used = UsedFiles()
        self._functions: frozenset[str] = frozenset()

    def why_stale(self, job: PackedJob) -> str:
        """Return why this process must not process wells of a job; empty if it may. Only between two runs."""
        if patched := patches_here().found():
            return patched
        edited = self._modules.look() or self._used.changed()
        if edited:
            return f"{edited} was edited"
        if len(self._used.files) > _MOST_FILES:
            return f"{len(self._used.files)} files were read"
        if read_recorder().has_inputs and not self._functions <= job.functions:
            return "functions of another pipeline have read files"
        return ""

    def end_run(self, job: PackedJob) -> None:
        """Note what the process has read and called by the end of a run."""
        read_recorder().drop_below(job.output_dir)
        self._used = read_recorder().used([job.output_dir])
        self._functions |= job.functions
