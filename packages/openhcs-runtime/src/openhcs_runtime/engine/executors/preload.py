"""Prepares a process to be a worker when imported: loads libraries, limits linear algebra to one thread, watches files.

Only for worker processes and the process they are forked from.
"""

import gc
import os

import threadpoolctl

from openhcs_runtime.pipeline.patches import patches_here
from zmqruntime.execution.workers.loaded_code import LoadedModules

_one_thread = threadpoolctl.threadpool_limits(1)
"""The workers together already use all cores; a forked worker inherits the setting."""

os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")  # read when OpenCV is loaded, which only some runs do

loaded_modules = LoadedModules.here()
"""The files of the modules of this process; a forked worker inherits what was noted of them."""

patches_here()

gc.freeze()  # loaded modules stay: garbage collection in a forked worker doesn't touch, and so copy, their memory
