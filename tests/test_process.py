"""Threads may spin only where somebody has shared out the cores; memory that is freed is not faulted in again."""

import os
import subprocess
import sys

import pytest
from step.plugins import LIBRARY
from step.process import share_cores


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


FAULTS = """
import resource, sys
import numpy as np
from step.process import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "keep":
    keep_freed_memory()
for turn in range(21):
    if turn == 1:
        before = faults()
    arrays = [np.ones(2**20, np.float32) for _ in range(8)]  # 4 MiB each
    del arrays
print(faults() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is glibc's")
def test_arrays_that_come_and_go_cost_no_page_faults_once_freed_memory_is_kept():
    environment = os.environ | {"PYTHONPATH": str(LIBRARY.parent)}

    def faults(how: str) -> int:
        command = [sys.executable, "-c", FAULTS, how]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return int(run.stdout)

    assert faults("keep") < 100 < faults("give back")
