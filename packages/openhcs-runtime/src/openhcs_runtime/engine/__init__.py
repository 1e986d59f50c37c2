"""The engine: compiles a pipeline for a plate and runs it on the wells."""
