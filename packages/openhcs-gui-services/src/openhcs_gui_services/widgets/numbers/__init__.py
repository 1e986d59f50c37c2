"""The numbers pane: measurements of the wells and objects of a run, as tables, plots and galleries."""
