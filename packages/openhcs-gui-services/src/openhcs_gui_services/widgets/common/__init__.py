"""What several widgets share: colours, icons, background tasks, frame pacing."""
