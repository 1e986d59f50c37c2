"""The connection of a window to its server, and the events received over it."""
