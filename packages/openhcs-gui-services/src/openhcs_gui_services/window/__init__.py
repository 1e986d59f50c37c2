"""The window of ``openhcs-gui`` and its command line."""
