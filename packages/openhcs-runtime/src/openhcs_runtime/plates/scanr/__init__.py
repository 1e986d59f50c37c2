"""Olympus ScanR plates."""
