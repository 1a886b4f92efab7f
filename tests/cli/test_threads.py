"""Threads that wait for each other may spin only where somebody has shared out the cores."""

import pytest
from step.__main__ import share_cores


@pytest.mark.parametrize(
    ("environment", "policy"),
    [
        ({}, "PASSIVE"),
        ({"OMP_NUM_THREADS": "2"}, None),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
    ],
)
def test_threads_sleep_unless_their_number_or_their_wait_was_chosen(monkeypatch, environment, policy):
    found = dict(environment)
    monkeypatch.setattr("os.environ", found)
    share_cores()
    assert found.get("OMP_WAIT_POLICY") == policy
