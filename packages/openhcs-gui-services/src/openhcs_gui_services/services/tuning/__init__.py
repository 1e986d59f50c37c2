"""Live tuning: the shown place is processed again, in a process of its own, with each edit of the pipeline."""
