"""Plates on the net: paths such as ``s3://bucket/plate.zarr``, and the reading of what they name."""
