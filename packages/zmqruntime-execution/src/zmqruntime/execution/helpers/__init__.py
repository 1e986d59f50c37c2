"""Helpers on top of a client: batches of jobs, polling, and words about a server that does not answer."""
