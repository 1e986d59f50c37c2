"""TIFF files: found, checked and read plane by plane."""
