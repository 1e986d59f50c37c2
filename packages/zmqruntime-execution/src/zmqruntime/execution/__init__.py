"""Long tasks in a background process: a durable queue, warm workers, live progress, cancel."""

import lazy_loader

# Each name in the stub is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
