"""The text of a pipeline as a window edits it: steps, forms, problems, files."""
