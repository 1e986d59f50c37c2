"""Module names of earlier documents, on the path of `widgets`: each file imports what is elsewhere now."""
