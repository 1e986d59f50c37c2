"""The GPUs of a machine, and how the wells of a run share them."""
