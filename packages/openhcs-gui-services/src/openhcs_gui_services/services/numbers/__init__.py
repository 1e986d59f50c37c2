"""What the numbers pane shows: measurements of wells and objects, gates, exclusions, and differences of runs."""
