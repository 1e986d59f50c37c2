"""Names and ids in requests are checked before they are sent."""

from typing import Any

import pytest

from zmqruntime import RequestRefusedError
from zmqruntime.messages import (
    BatchRequest,
    Concurrency,
    ExecuteRequest,
    FindRequest,
    Message,
    QueueAction,
    QueueRequest,
    Rate,
    ScheduleRequest,
    UnscheduleRequest,
)
from zmqruntime.request_texts import check_texts

NAME = "use 1 to 64 of the letters a to z and A to Z, the digits, and _ . -"
ID = "use 8 to 64 of the letters a to z and A to Z, the digits, and _ -"


def execution(**fields: Any) -> ExecuteRequest:
    return ExecuteRequest(**{"submission_id": "a" * 20, **fields})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"queue": "é"}, f"queue 'é' cannot be used: {NAME}"),
        ({"queue": 5}, "queue must be a string, not int"),
        ({"submission_id": "a b"}, f"submission_id 'a b' cannot be used: {ID}"),
        ({"after": ["a" * 8, "no"]}, f"after[1] 'no' cannot be used: {ID}"),
        ({"resources": {"g u": 1}}, f"a key of resources, 'g u' cannot be used: {NAME}"),
        ({"name": "é" * 201}, f"name of 201 characters, '{'é' * 40}'..., cannot be used: use at most 200 characters"),
    ],
)
def test_a_text_of_a_submission_that_a_server_would_refuse_is_named(fields: dict[str, Any], words: str) -> None:
    for message, where in (
        (execution(**fields), ""),
        (ScheduleRequest(name="a", request=execution(**fields)), ""),
        (BatchRequest(requests=[execution(), execution(**fields)]), "requests[1]."),
    ):
        with pytest.raises(RequestRefusedError) as caught:
            check_texts(message)
        assert str(caught.value).replace(where, "").startswith(words)


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_the_key_of_a_limit_is_checked_where_it_is_made(key: str) -> None:
    with pytest.raises(ValueError, match="key of a Concurrency must have 1 to 200 characters"):
        Concurrency(key, 1)
    with pytest.raises(ValueError, match="key of a Rate must have 1 to 200 characters"):
        Rate(key, 1, 1)


@pytest.mark.parametrize(
    "message",
    [
        ScheduleRequest(name="é name ✓", request=execution()),
        UnscheduleRequest(name="é name ✓"),
        QueueRequest(action=QueueAction.PAUSE, queue="é name ✓"),
        FindRequest(prefix="é name ✓"),
    ],
)
def test_a_name_in_other_requests_is_named_too(message: Message) -> None:
    with pytest.raises(RequestRefusedError, match="'é name ✓' cannot be used: use 1 to 64 of the letters a to z"):
        check_texts(message)


def test_texts_that_a_server_accepts_are_accepted() -> None:
    check_texts(execution(queue="q-1", after=["b" * 8], resources={"gpu": 1.0}, rate=Rate("é name ✓", 1, 1.0)))
    check_texts(QueueRequest(action=QueueAction.PAUSE))
