"""The command line ``openhcs-runtime``: runs pipelines over plates, watches and ends them."""

from openhcs_runtime.cli.entry import main

__all__ = ["main"]
