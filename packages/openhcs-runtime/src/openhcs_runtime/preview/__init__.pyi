from .client import (
    PreviewClient as PreviewClient,
)
from .values import (
    PreviewProblem as PreviewProblem,
    PreviewRequest as PreviewRequest,
    PreviewResult as PreviewResult,
    PreviewStep as PreviewStep,
)
