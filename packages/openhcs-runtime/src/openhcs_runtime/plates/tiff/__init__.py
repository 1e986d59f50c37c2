"""Listing, checking and reading of TIFF files."""
