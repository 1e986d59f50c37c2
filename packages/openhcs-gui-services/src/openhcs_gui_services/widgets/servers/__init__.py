"""The server browser."""
