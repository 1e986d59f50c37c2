"""Prepares a process to be a worker when imported: loads libraries, limits linear algebra to one thread.

Only for worker processes and the process they are forked from.
"""

import gc

import threadpoolctl

_one_thread = threadpoolctl.threadpool_limits(1)
"""The workers together already use all cores; a forked worker inherits the setting."""

gc.freeze()  # loaded modules stay: garbage collection in a forked worker doesn't touch, and so copy, their memory
