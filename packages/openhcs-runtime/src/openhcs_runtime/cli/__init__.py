"""The command line ``openhcs-runtime``."""

from openhcs_runtime.cli.app import main

__all__ = ["main"]
