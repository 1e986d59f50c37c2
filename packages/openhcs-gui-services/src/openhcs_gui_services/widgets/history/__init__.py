"""The history view: past runs, and what changed between two of them."""
