"""The servers and viewers shown by a server browser."""
