"""The command line ``openhcs-runtime``."""

from openhcs_runtime.cli.entry import main

__all__ = ["main"]
