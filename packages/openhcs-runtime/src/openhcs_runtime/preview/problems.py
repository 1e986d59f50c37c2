"""Problems of pipelines that can't be run, in the form of a preview."""

import re

from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.preview.values import PreviewProblem
from openhcs_runtime.text import writable

__all__ = ["problem_of_pipeline"]

_STEP = re.compile(r"(?:step|.*: entry) (\d+)\b")


def problem_of_pipeline(error: PipelineError) -> PreviewProblem:
    """Return the first problem of a pipeline, with the number of its step if it names one; the rest as details."""
    problems = [writable(problem) for problem in error.problems]
    first = problems[0] if problems else "the pipeline can't be used"
    found = _STEP.match(first)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return PreviewProblem(first + more, int(found[1]) if found else 0, "\n".join(problems) if more else "")
