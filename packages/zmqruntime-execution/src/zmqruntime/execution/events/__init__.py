"""What servers, workers and clients pass to each other: events, worker messages, logs, results."""
