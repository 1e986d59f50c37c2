"""What the database has of an execution beside its record: submission, outcome and checkpoints, checked for damage."""

from collections.abc import Sequence
from typing import Any

import msgspec

from zmqruntime.execution.events.result_files import INLINE_RESULT_BYTES
from zmqruntime.execution.server.damage import is_intact, is_whole, readable, value_problem
from zmqruntime.execution.server.database import REMEDY, Database, StoreError, as_list
from zmqruntime.execution.server.environments import Environments
from zmqruntime.execution.server.record import Record
from zmqruntime.messages import PackedExecuteRequest

__all__ = ["Contents"]


class Contents:
    """Reads them; each method raises ``StoreError`` if something cannot be read or is damaged.

    Args:
        database: The database.
        environments: The environments in it.
    """

    def __init__(self, database: Database, environments: Environments) -> None:
        self._database = database
        self._environments = environments

    def requests_of(self, records: Sequence[Record]) -> dict[str, PackedExecuteRequest | StoreError]:
        """Return the submissions of executions by their ids; an error in place of one that cannot be read."""
        where = "number IN (SELECT value FROM json_each(?))" if len(records) > 1 else "number = ?"
        asked: object = as_list([each.number for each in records]) if len(records) > 1 else records[0].number
        query = f"SELECT number, payload, crc FROM submissions WHERE {where}"
        rows = {row[0]: row[1:] for row in self._database.all(query, asked)}
        found: dict[str, PackedExecuteRequest | StoreError] = {}
        for record in records:
            try:
                found[record.execution_id] = self._request_in(record, rows.get(record.number))
            except StoreError as error:
                found[record.execution_id] = error
        return found

    def _request_in(self, record: Record, row: tuple[Any, ...] | None) -> PackedExecuteRequest:
        path = self._database.path
        if row is None:
            raise StoreError(f"the payload of execution {record.execution_id} is missing in {path}; {REMEDY}")
        payload, crc = row
        problem = value_problem(payload) or _mismatch(crc, record.number, payload)
        if problem is not None:
            raise StoreError(f"the payload of execution {record.execution_id} in {path} is damaged: {problem}")
        environment = None
        if record.environment is not None:
            with self._database.reading():
                environment = self._environments.find(record.environment)
        return PackedExecuteRequest(
            submission_id=record.execution_id,
            plate_id=record.plate_id,
            priority=record.priority,
            payload=msgspec.Raw(payload),
            soft_time_limit=record.soft_time_limit,
            time_limit=record.time_limit,
            max_retries=record.max_retries,
            retry_delay=record.retry_delay,
            resumable=record.resumable,
            environment=environment,
            name=record.name,
            queue=record.queue,
            **record.needs.fields(),
        )

    def add_outcome(self, record: Record) -> None:
        """Read traceback and result into the record, unless they are already there or the result is too large."""
        if record.ended_order is None or record.has_new_outcome:
            return
        query = (
            f"SELECT traceback, CASE WHEN length(result) <= {INLINE_RESULT_BYTES} THEN result END, crc "
            "FROM outcomes WHERE number = ?"
        )
        row = self._database.one(query, record.number)
        if row is not None:
            text, result, crc = row
            record.traceback = None if text is None else readable(text)
            problem = None if result is None else value_problem(result) or _mismatch(crc, record.number, text, result)
            if problem is not None:
                raise StoreError(
                    f"the result of execution {record.execution_id} in {self._database.path} is damaged: {problem}"
                )
            record.result = result

    def result_piece(self, record: Record, offset: int, length: int) -> bytes:
        """Return a piece of an encoded result in the database."""
        if record.result is not None:
            return record.result[offset : offset + length]
        with (
            self._database.reading() as connection,
            connection.blobopen("outcomes", "result", record.number, readonly=True) as blob,
        ):
            blob.seek(min(offset, len(blob)))
            return blob.read(length)

    def checkpoints_of(self, record: Record) -> dict[str, bytes]:
        """Return the checkpoints of an interrupted or failed run."""
        query = "SELECT key, value, crc FROM checkpoints WHERE number = ?"
        kept = {}
        for key, value, crc in self._database.all(query, record.number):
            problem = value_problem(value) if is_whole(key) else "its name is not readable"
            problem = problem or _mismatch(crc, record.number, key, value)
            if problem is not None:
                text = f"checkpoint {key!r} of execution {record.execution_id} in {self._database.path} is damaged"
                raise StoreError(f"{text}: {problem}")
            kept[key] = value
        return kept


def _mismatch(crc: object, *values: object) -> str | None:
    return None if is_intact(crc, *values) else "it does not match its checksum"
