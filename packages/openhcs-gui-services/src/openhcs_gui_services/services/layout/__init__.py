"""The plate map as it is edited: its table, its file, and what is wrong with it."""
