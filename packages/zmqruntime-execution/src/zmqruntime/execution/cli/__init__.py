"""The command line ``zmqruntime``, which looks at servers and what they run, and acts on them; it never starts one.

Other command lines are built from the same parts: ``endpoint`` (reaching a server, and its errors in words),
``sources`` (what is known of executions, from the server or from disk), ``executions``, ``ids``, ``output`` and
``failures``.
"""

__all__ = ["main"]


def main() -> int:
    """Run the command line of this process; gives the exit code."""
    from zmqruntime.execution.cli import app  # noqa: PLC0415 - other command lines need none of its commands

    return app.main()
