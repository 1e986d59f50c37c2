"""Acknowledgements of images as the origin documents name them: a listener on a port, and trackers that count.

The names are at :mod:`zmqruntime`. Producers of ``zmqruntime.streaming`` keep the trackers up to date for programs that
read them; the runtime itself takes its figures from its streams.
"""
