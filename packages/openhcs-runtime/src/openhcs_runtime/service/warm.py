"""Loads what a run needs when it is imported, and forks the process that workers are forked from.

The worker process of a server imports it first, while it has a single thread. The libraries that only functions need
are loaded by the forked process, while this one opens the plate and compiles. In a process with more threads there is
no nursery, and workers are started in the usual way.
"""

import importlib

from openhcs_runtime.engine.executors.nursery import Nursery

__all__ = ["nursery"]

_IMAGE_LIBRARIES = "openhcs_runtime.service.image_libraries"

for _name in (
    "imagecodecs",
    "pyarrow.parquet",
    "openhcs_runtime.service.worker",
    "openhcs_runtime.functions.projection",
    "openhcs_runtime.functions.nuclei",
    "openhcs_runtime.functions.nuclei_check",
    "openhcs_runtime.functions.background",
    "openhcs_runtime.functions.measure",
):
    importlib.import_module(_name)

nursery = Nursery.begin(_IMAGE_LIBRARIES)
