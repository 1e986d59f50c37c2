"""Profiles of wells: normalised to controls or plates, with assay quality, hits, dose responses and replicates."""

from zmqruntime.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
