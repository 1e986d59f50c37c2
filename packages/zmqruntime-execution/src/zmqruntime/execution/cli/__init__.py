"""The command line ``zmqruntime``: looks at servers and what they run, and acts on them; never starts one."""

from zmqruntime.execution.cli.app import main

__all__ = ["main"]
