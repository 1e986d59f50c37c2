"""The command line ``zmqruntime``, which looks at servers and what they run, and acts on them; it never starts one.

Other command lines are built from the same parts: ``endpoint`` (reaching a server, and its errors in words),
``sources`` (what is known of executions, from the server or from disk), ``executions``, ``ids``, ``output`` and
``failures``.
"""

from zmqruntime.execution.cli.app import main

__all__ = ["main"]
