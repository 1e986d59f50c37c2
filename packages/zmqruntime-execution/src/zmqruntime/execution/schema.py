"""The tables of a server's database, version after version."""

__all__ = ["MIGRATIONS"]

# Each script takes the schema one version further; the database counts them in user_version. Never change one that was
# released: add another.
MIGRATIONS = (
    """
CREATE TABLE executions (
    number INTEGER PRIMARY KEY,
    execution_id TEXT NOT NULL UNIQUE,
    plate_id TEXT NOT NULL,
    priority INTEGER NOT NULL,
    rank REAL NOT NULL,
    held INTEGER NOT NULL,
    payload BLOB NOT NULL,
    soft_time_limit REAL,
    time_limit REAL,
    max_retries INTEGER NOT NULL,
    retry_delay REAL NOT NULL,
    resumable INTEGER NOT NULL,
    status TEXT NOT NULL,
    submitted_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    not_before REAL,
    attempts INTEGER NOT NULL,
    worker_deaths INTEGER NOT NULL,
    error TEXT,
    traceback TEXT,
    result BLOB,
    cpu_seconds REAL,
    peak_memory_bytes INTEGER,
    event_count INTEGER NOT NULL,
    state_count INTEGER NOT NULL,
    progress_count INTEGER NOT NULL,
    log_count INTEGER NOT NULL
) STRICT;
CREATE INDEX executions_ended ON executions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX executions_open ON executions (number) WHERE ended_at IS NULL;
CREATE TABLE event_batches (
    number INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    batch BLOB NOT NULL,
    PRIMARY KEY (number, upto)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (
    number INTEGER NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (number, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
""",
    """
CREATE TABLE environments (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    content BLOB NOT NULL
) STRICT;
ALTER TABLE executions ADD COLUMN environment INTEGER;
CREATE INDEX executions_environment ON executions (environment) WHERE environment IS NOT NULL;
""",
)
