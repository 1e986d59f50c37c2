"""Loads the libraries that functions import when first called, in the process that workers are forked from."""

import pyarrow.compute  # noqa: F401
import scipy.ndimage  # noqa: F401
from skimage.segmentation import watershed  # noqa: F401  the package loads its parts when they are first used
