"""Acknowledgements of images under the names of the origin documents: a listener on a port, and trackers that count.

The names are exported by :mod:`zmqruntime`. Producers of ``zmqruntime.streaming`` keep the trackers up to date for
programs that read them; the runtime itself takes its counts from its streams.
"""
