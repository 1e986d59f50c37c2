"""The tables of a server's database, with a migration for each version.

Potentially large values (payload, traceback, result) are in separate tables, so that lists of executions do not have to
read past them. A result larger than 64 KiB is a file next to the database. ``crc`` is the checksum of a row, see
:func:`zmqruntime.execution.server.damage.crc_of`; rows of earlier releases have none. ``name``, ``queue`` and ``needs``
of an execution are NULL where its submission left them out. ``implied_states`` is the number of its first state events
that follow from the row and are in no batch, see :mod:`zmqruntime.execution.server.implied_states`; NULL in rows of
earlier releases.
"""

__all__ = ["MIGRATIONS"]

# Each script migrates the schema to the next version; the database counts them in user_version. Never change a script
# that was released: add another one.
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
CREATE TABLE submissions (
    number INTEGER PRIMARY KEY,
    payload BLOB NOT NULL
) STRICT;
CREATE TABLE outcomes (
    number INTEGER PRIMARY KEY,
    traceback TEXT,
    result BLOB
) STRICT;
INSERT INTO submissions SELECT number, payload FROM executions;
INSERT INTO outcomes SELECT number, traceback, result FROM executions
    WHERE traceback IS NOT NULL OR result IS NOT NULL;
ALTER TABLE executions ADD COLUMN environment INTEGER;
ALTER TABLE executions ADD COLUMN result_bytes INTEGER;
ALTER TABLE executions ADD COLUMN run_seconds REAL;
ALTER TABLE executions ADD COLUMN ended_order INTEGER;
ALTER TABLE executions ADD COLUMN ended_uptime INTEGER;
UPDATE executions SET result_bytes = length(result) WHERE result IS NOT NULL;
UPDATE executions SET ended_uptime = 0 WHERE ended_at IS NOT NULL;
UPDATE executions SET ended_order = placed.place FROM
    (SELECT number, row_number() OVER (ORDER BY ended_at, number) AS place FROM executions WHERE ended_at IS NOT NULL)
    AS placed WHERE placed.number = executions.number;
ALTER TABLE executions DROP COLUMN payload;
ALTER TABLE executions DROP COLUMN traceback;
ALTER TABLE executions DROP COLUMN result;
CREATE UNIQUE INDEX executions_ended_order ON executions (ended_order) WHERE ended_order IS NOT NULL;
CREATE INDEX executions_environment ON executions (environment) WHERE environment IS NOT NULL;
""",
    """
ALTER TABLE executions ADD COLUMN crc INTEGER;
ALTER TABLE submissions ADD COLUMN crc INTEGER;
ALTER TABLE outcomes ADD COLUMN crc INTEGER;
ALTER TABLE checkpoints ADD COLUMN crc INTEGER;
""",
    """
ALTER TABLE executions ADD COLUMN name TEXT;
ALTER TABLE executions ADD COLUMN queue TEXT;
ALTER TABLE executions ADD COLUMN needs BLOB;
CREATE TABLE completed_dependencies (
    execution_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TABLE rate_starts (
    key TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at REAL NOT NULL,
    until REAL NOT NULL,
    crc INTEGER,
    PRIMARY KEY (key, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE queues (
    name TEXT PRIMARY KEY,
    paused INTEGER NOT NULL,
    most INTEGER,
    crc INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE schedules (
    name TEXT PRIMARY KEY,
    content BLOB NOT NULL,
    crc INTEGER
) STRICT, WITHOUT ROWID;
""",
    """
ALTER TABLE executions ADD COLUMN implied_states INTEGER;
""",
    """
CREATE TABLE handed_over (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    content BLOB NOT NULL,
    crc INTEGER
) STRICT;
""",
)
