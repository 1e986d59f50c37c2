"""The history view: a table of past executions."""
