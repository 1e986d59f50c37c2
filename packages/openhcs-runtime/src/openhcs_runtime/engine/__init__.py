"""The engine: compiles a pipeline for a plate and runs it over the wells."""
