"""Importing this makes a process ready to be a worker: libraries loaded, linear algebra on one thread.

Only for worker processes and the process that they are forked from.
"""

import gc

import threadpoolctl

_one_thread = threadpoolctl.threadpool_limits(1)
"""Workers already use all cores; in a forked worker the setting is the one of the process it came from."""

gc.freeze()  # what is loaded stays: collections in a forked worker need not touch, and so copy, its memory
