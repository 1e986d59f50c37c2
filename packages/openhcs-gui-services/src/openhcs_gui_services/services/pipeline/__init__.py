"""Pipeline files for editing in a window: text, steps, forms, problems, files."""
