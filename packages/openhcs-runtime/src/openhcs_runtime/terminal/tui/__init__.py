"""A plate in the terminal: its wells as a grid coloured by state, live. Needs the extra ``tui``."""
