"""OME-Zarr HCS plates, read and written."""
