"""Loads what runs need when it is imported, and then forks the process that workers are forked from.

The worker process of a server imports it first, while it has a single thread, so that one process loads the image
libraries for all. In a process with more threads there is no nursery, and workers are started in the usual way.
"""

import importlib

from openhcs_runtime.engine.executors.nursery import Nursery

__all__ = ["nursery"]

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

nursery = Nursery.begin()
