"""Profiles of wells: normalised to controls or plates, with assay quality, hits, dose responses and replicates."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
