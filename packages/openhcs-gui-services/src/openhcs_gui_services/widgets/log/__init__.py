"""The log window."""
