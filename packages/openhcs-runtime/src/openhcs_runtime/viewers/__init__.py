"""Viewers for the images of a run, in separate processes: napari and Fiji, and the modules shared by both."""
