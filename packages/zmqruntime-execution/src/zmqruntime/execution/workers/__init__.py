"""Workers: processes or threads that run the tasks of a server."""
