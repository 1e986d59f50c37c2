"""Services and PyQt6 widgets to run microscopy plates on a background server."""
