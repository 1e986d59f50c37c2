"""Pipelines: steps, the grouping of images, and conversion to and from Python source."""
