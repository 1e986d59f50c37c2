"""The plates of a window and their wells."""
