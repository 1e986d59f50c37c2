"""The editor of plate maps."""
