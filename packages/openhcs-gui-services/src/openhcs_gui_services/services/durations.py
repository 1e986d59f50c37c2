"""Durations as text, by the same rule as in all commands."""

from zmqruntime.execution.text import duration as duration_text, timing as timing_text

__all__ = ["duration_text", "timing_text"]
