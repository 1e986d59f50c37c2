"""Which wells and sites of a plate a run processes: by name, by plate map, or a sample spread over the plate."""

from zmqruntime.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
