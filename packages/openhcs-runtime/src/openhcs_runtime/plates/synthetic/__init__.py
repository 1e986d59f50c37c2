"""Synthetic plates with known ground truth."""
