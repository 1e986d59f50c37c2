"""A run in a terminal: bars, plain lines, and the full-screen plate view."""
