"""Progress updates: their rules, the newest of each channel, and what they add up to."""
