"""Module names of earlier documents, on the path of the package: each file imports what is elsewhere now."""
