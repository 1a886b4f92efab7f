"""What was estimated of the miniature, against what it took."""

import os

import pytest
from step.config.study import load_config
from step.estimate import planning
from step.estimate.graph import Job, read_graph
from step.estimate.schedule import makespan
from step.estimate.study import estimate_study, study_work
from step.estimate.unit_costs import PROCESSOR, Machine, measured_costs

MINIATURE = "config/miniature.yaml"


@pytest.fixture(scope="module")
def ran(miniature, tmp_path_factory) -> list[Job]:
    """The jobs of the miniature with the times that they took."""
    graph = tmp_path_factory.mktemp("graph") / "graph.json"
    os.environ[planning.GRAPH] = str(graph)
    try:
        run = miniature.snakemake("-n", "all", "--forceall", overlays=(MINIATURE,))
    finally:
        del os.environ[planning.GRAPH]
    assert run.status == 0, run.stdout + run.stderr
    return read_graph(graph)


def took(jobs: list[Job]) -> float:
    """Return the seconds from the beginning of the first job to the end of the last."""
    timed = [job for job in jobs if job.seconds is not None]
    return max(job.ended_s for job in timed) - min(job.began_s for job in timed)


def test_the_simulated_schedule_ends_when_the_real_one_did(ran):
    assert makespan(ran, [job.seconds or 0.0 for job in ran], slots=2) == pytest.approx(took(ran), rel=0.3)


def test_the_estimate_from_this_machine_s_unit_costs_is_what_the_run_took(ran, miniature, monkeypatch):
    monkeypatch.chdir(miniature.folder)
    config = load_config(miniature.folder / MINIATURE)
    costs = measured_costs(ran, study_work(config), PROCESSOR, "this run")
    estimate = estimate_study(config, ran, Machine(PROCESSOR, costs), slots=2)
    assert estimate.makespan_s == pytest.approx(took(ran), rel=0.3)
