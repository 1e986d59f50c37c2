"""Long tasks in a background process, with a durable queue, warm workers, live progress and cancellation."""

import zmqruntime

if getattr(zmqruntime, "__file__", None) is None:  # the folder of a namespace, without the core in it
    raise ImportError("zmqruntime-execution needs zmqruntime-core, which is not installed: pip install zmqruntime-core")

from zmqruntime.lazy_names import attach

# Each name in the stub is imported when it is first used.
__getattr__, __dir__, __all__ = attach(__name__, __file__)
