"""A server process with a control channel and a data channel over ZeroMQ.

Start with :class:`ZMQServer` and :class:`ZMQClient`; ``zmqruntime.execution`` (long tasks) and
``zmqruntime.streaming`` (arrays) are separate distributions that build on them.
"""

import os
from pkgutil import extend_path

if any(
    name.startswith("zmqruntime-") and name.endswith(".dist-info") and name[len("zmqruntime-")].isdigit()
    for name in os.listdir(os.path.dirname(os.path.dirname(__file__)))
):
    raise ImportError(
        "another distribution called 'zmqruntime' is installed here and shares the import name of 'zmqruntime-core': "
        "pip uninstall zmqruntime, then pip install --force-reinstall zmqruntime-core, or use another environment"
    )

from zmqruntime.lazy_names import attach

__path__ = extend_path(__path__, __name__)

# Each name in the stub is imported when it is first used.
__getattr__, __dir__, __all__ = attach(__name__, __file__)
