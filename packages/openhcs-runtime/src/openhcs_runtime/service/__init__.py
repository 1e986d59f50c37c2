"""Pipelines on a background server: the server, its worker, and the client."""
