"""The pipeline pane: editor, step forms, problems."""
