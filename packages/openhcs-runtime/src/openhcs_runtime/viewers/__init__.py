"""Viewers of a run's images, as processes of their own: napari and Fiji. What both need is beside their folders."""
