"""Arguments that cannot be right are refused where they are given, and two senders of one name stay two."""

import os
import re
from typing import Any

import numpy as np
import pytest

from zmqruntime import ConfigurationError, PortInUseError
from zmqruntime.streaming import ImageStream, Receiver, Sender, flush, receive, send

PORT = 5580 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])  # without IPC, ports are shared by all tests


@pytest.mark.parametrize("port", [True, 0, -1, 64_536, 70_000, 5580.0, "5580", None])
@pytest.mark.parametrize("make", [Sender, Receiver, ImageStream, lambda port: send(np.zeros(3), port)])
def test_a_port_that_is_not_one_is_refused_and_nothing_is_left_open(make: Any, port: Any) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"{port!r} is not a port for arrays; give a whole number")):
        make(port)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory_budget": 0}, "memory_budget=0 is not enough memory; give bytes"),
        ({"memory_budget": -5}, "memory_budget=-5 is not enough memory"),
        ({"memory_budget": 1e9}, "give bytes as a whole number"),
        ({"memory_budget": True}, "memory_budget=True is not enough"),
        ({"timeout": -1}, "timeout=-1 is not a number of seconds; give a number from 0"),
        ({"timeout": float("nan")}, "timeout=nan is not"),
        ({"timeout": "5"}, "timeout='5' is not"),
        ({"name": 5}, "the name 5 of the sender is not text; use str"),
        ({"name": "\udc80"}, r"the name '\\udc80' of the sender is not valid text"),
        ({"name": "a" * 201}, "1 to 200 characters, not 201; choose another name"),
    ],
)
def test_options_of_a_sender_are_checked_when_it_is_made(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ConfigurationError, ValueError), match=words):
        Sender(PORT, **options)


def test_the_receiver_that_holds_a_port_is_named_and_senders_of_one_name_are_told_apart() -> None:
    with receive(PORT, timeout=20) as receiver, Sender(PORT, name="cam") as one, Sender(PORT, name="cam") as other:
        with pytest.raises(PortInUseError, match=f"process {os.getpid()}"):
            receive(PORT)
        metas = []
        for sender in (one, other, one):
            sender.send(np.zeros(3))
            metas.append(receiver.get()[1])
        assert metas[0].sender_id == metas[2].sender_id != metas[1].sender_id
        counts = receiver.counts.senders["cam"]
        assert counts.received == 3
        assert set(counts.sender_ids) == {meta.sender_id for meta in metas}
        flush(0.0)  # nothing of this process is open
