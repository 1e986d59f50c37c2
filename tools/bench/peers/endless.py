"""The function of the job "cancel": it never asks whether it should stop, and shows that it is alive."""

import time
from pathlib import Path

SIGN = Path("beat.txt")


def busy() -> None:
    while True:
        SIGN.touch()


def wait_for_busy() -> None:
    while not SIGN.exists():
        time.sleep(0.01)
