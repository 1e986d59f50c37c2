"""Importing this makes a process ready to be a worker: libraries loaded, linear algebra on one thread.

Only for worker processes and the process that they are forked from.
"""

import gc

import threadpoolctl

import openhcs_runtime.executors.worker
import openhcs_runtime.functions
import openhcs_runtime.orchestrator  # noqa: F401  a worker imports the main script again, which has it

_one_thread = threadpoolctl.threadpool_limits(1)
"""Workers already use all cores; in a forked worker the setting is the one of the process it came from."""

gc.freeze()  # what is loaded stays: collections in a forked worker need not touch, and so copy, its memory
