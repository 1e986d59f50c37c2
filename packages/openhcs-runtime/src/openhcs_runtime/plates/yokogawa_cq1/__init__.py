"""Yokogawa CQ1 plates."""
