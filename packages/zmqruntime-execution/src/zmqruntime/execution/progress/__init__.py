"""Progress updates: rules, the newest update of each channel, and the state they add up to."""
