"""The pipeline pane: editor, forms for steps, problems."""
