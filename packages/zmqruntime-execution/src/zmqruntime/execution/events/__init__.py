"""Data exchanged between servers, workers and clients: events, worker messages, logs and results."""
