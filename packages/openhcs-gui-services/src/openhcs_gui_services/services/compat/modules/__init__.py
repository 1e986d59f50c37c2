"""Module names of earlier documents, on the path of ``services``: each file imports names from their new modules."""
