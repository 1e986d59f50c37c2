"""Formats that are recognized by their file names."""
