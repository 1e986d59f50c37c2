"""The execution server with its queue, database and scheduler."""
