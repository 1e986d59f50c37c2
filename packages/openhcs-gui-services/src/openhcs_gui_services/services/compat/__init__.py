"""Hosts and services of earlier documents, which the window itself does not use."""
