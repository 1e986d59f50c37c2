"""Tables of a run in the formats of other programs: AnnData, CellProfiler, SpatialData, tables of OME-Zarr plates."""
