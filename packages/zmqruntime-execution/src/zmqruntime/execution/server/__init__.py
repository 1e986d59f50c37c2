"""The execution server: its queue, its database and its scheduler."""
