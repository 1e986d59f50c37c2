"""Pipelines: steps, how they group images, and how they travel as Python source."""
