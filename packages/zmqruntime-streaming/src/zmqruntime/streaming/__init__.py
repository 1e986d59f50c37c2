"""Sends arrays to another process, and shows arrays, shapes and points in one.

``send(array, port)`` in one program, ``for array, meta in receive(port)`` in another. To show what a pipeline computes,
it sends with :class:`ImageStream`; a viewer is a :class:`StreamingVisualizerServer`, and
:class:`VisualizerProcessManager` manages its process.
"""

import zmqruntime

if getattr(zmqruntime, "__file__", None) is None:  # the folder of a namespace, without the core in it
    raise ImportError("zmqruntime-streaming needs zmqruntime-core, which is not installed: pip install zmqruntime-core")

from zmqruntime.lazy_names import attach

# Each name in the stub is imported when it is first used.
__getattr__, __dir__, __all__ = attach(__name__, __file__)
