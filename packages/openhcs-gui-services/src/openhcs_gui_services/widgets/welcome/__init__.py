"""What the window shows while it has no plates."""
