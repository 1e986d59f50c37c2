"""Cellomics ArrayScan and CellInsight plates."""
