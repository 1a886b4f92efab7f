import logging

import pytest


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """What the library logs, also after a command of this process has turned its log to the terminal."""
    monkeypatch.setattr(logging.getLogger("step"), "propagate", True)
    caplog.set_level("INFO", "step")
    return caplog
