"""Helpers on top of a client: batches of jobs, polling, and messages about a server that does not answer."""
