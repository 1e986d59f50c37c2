"""Hosts and services of earlier documents that the window itself does not use."""
