"""The servers and viewers that a server browser shows."""
