"""Yokogawa CV7000 and CV8000 plates."""
