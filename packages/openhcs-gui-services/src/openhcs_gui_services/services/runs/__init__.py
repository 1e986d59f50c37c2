"""Compiling, running and stopping the plates of a window."""
