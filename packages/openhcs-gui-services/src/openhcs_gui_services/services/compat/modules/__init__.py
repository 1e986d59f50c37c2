"""Module names of earlier documents, on the path of `services`: each file imports what is elsewhere now."""
