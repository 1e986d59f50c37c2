"""Lets type checkers see this folder as part of the zmqruntime package; never shipped."""
