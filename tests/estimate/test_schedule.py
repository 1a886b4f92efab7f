"""The simulated schedule, against schedules that are known."""

import pytest
from step.estimate.graph import Job
from step.estimate.schedule import makespan


def job(*needs: int, gpu: bool = False, priority: int = 0) -> Job:
    return Job("rule", "stage", {}, needs, gpu, priority)


def test_jobs_that_wait_for_each_other_take_their_sum_on_any_number_of_slots():
    chain = [job(), job(0), job(1)]
    assert makespan(chain, [1, 2, 3], slots=1) == 6
    assert makespan(chain, [1, 2, 3], slots=9) == 6


def test_independent_jobs_share_the_slots():
    assert makespan([job()] * 6, [1] * 6, slots=3) == 2
    assert makespan([job()] * 7, [1] * 7, slots=3) == 3


def test_what_the_longest_chain_waits_for_goes_first():
    # Two short jobs, and one that a long one waits for: 1 + 4 next to 2 + 2.
    assert makespan([job(), job(), job(), job(2)], [2, 2, 1, 4], slots=2) == 5


def test_a_higher_priority_goes_before_a_longer_chain():
    jobs = [job(), job(priority=1), job(1)]
    assert makespan(jobs, [5, 1, 1], slots=1) == 7
    assert makespan([job(), job(0), job(priority=1)], [1, 3, 2], slots=1) == 6


def test_jobs_on_gpus_wait_for_a_gpu_while_others_use_the_slots():
    jobs = [job(gpu=True)] * 3 + [job()] * 3
    assert makespan(jobs, [2] * 3 + [1] * 3, slots=2, gpus=1) == 6
    assert makespan(jobs, [2] * 3 + [1] * 3, slots=4, gpus=3) == pytest.approx(3)
