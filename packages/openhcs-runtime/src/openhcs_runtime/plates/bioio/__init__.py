"""Plates of any images that bioio reads; it is loaded only when such a file is met."""
