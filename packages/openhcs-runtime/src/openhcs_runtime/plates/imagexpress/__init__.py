"""ImageXpress plates."""
