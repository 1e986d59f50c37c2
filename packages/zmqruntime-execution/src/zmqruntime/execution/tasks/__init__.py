"""The API for code inside a task, in the worker and in processes that join the task."""
