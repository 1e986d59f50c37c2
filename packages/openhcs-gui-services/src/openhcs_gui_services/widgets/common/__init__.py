"""Shared parts of the widgets: colours, icons, buttons, texts, frame pacing."""
