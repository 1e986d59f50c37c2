"""Operations on images that functions are built from: as fast as the installed libraries allow, with equal results.

Each operation is defined such that rounding does not matter: what is added are whole numbers whose sums are exact in
float64, so neither the order of additions nor fused multiplications, and so no library and no processor, change the
result; ties are decided by a stated rule. NumPy and SciPy suffice. OpenCV and edt (the extra ``fast``) are used where
they are installed; see ``openhcs_runtime.functions.kernels.backend``.
"""

from openhcs_runtime.functions.kernels.backend import PLAIN, Backend, backend, installed, using
from openhcs_runtime.functions.kernels.ball import ball_opening
from openhcs_runtime.functions.kernels.components import components
from openhcs_runtime.functions.kernels.distance import distance
from openhcs_runtime.functions.kernels.gaussian import Border, gaussian, gradient
from openhcs_runtime.functions.kernels.histogram import histogram
from openhcs_runtime.functions.kernels.holes import fill_holes
from openhcs_runtime.functions.kernels.maximum import maximum, minimum
from openhcs_runtime.functions.kernels.opening import disk_opening, opening

__all__ = [
    "PLAIN",
    "Backend",
    "Border",
    "backend",
    "ball_opening",
    "components",
    "disk_opening",
    "distance",
    "fill_holes",
    "gaussian",
    "gradient",
    "histogram",
    "installed",
    "maximum",
    "minimum",
    "opening",
    "using",
]


def __dir__() -> list[str]:
    return sorted(__all__)
