"""The table of past executions."""
