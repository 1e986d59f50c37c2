"""Executions in notebooks: tables that are replaced in the output of a cell while tasks are running."""
