"""IN Cell Analyzer plates."""
