"""Waiting for what other processes do."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(ready: Callable[[], T], describe: Callable[[], str], seconds: float = 60) -> T:
    """Return what `ready` returns as soon as it is true; raises `TimeoutError` with the text of `describe`."""
    deadline = time.monotonic() + seconds
    while not (result := ready()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing came within {seconds} s: {describe()}")
        time.sleep(0.1)
    return result
