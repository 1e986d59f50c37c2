"""What each command does; what can be typed is in ``zmqruntime.execution.cli.surface``."""
