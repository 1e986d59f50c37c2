"""What code inside a task sees, in the worker and in processes that join the task."""
