"""Module names of earlier releases, on the path of the package; each re-exports names that have moved."""
