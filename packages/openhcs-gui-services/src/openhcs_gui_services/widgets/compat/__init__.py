"""Module names of earlier documents, on the path of ``widgets``: each file imports names from their new modules."""
