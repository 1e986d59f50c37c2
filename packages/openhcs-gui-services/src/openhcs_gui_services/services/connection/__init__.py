"""The connection of a window to its server, and the news that arrives over it."""
