"""Which wells and sites of a plate a run processes: by name, by plate map, or a sample spread over the plate."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
