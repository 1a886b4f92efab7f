"""How far a run is, of a study that is half finished: its files alone, written by hand."""

import os
import time
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from step.__main__ import main
from step.config.study import BASE_CONFIG, Config, load_config
from step.errors import InputError
from step.estimate import following
from step.estimate.graph import Job
from step.estimate.progress import (
    PLANNED_RUN,
    PlannedRun,
    StudyProgress,
    read_planned_run,
    study_progress,
    write_planned_run,
)
from step.estimate.progress_page import as_lines, as_page, headline
from step.estimate.study import study_work
from step.estimate.unit_costs import UnitCost
from step.io.tables import write_table
from step.training.state import History, save_state

BEGAN, NOW = 1_000_000.0, 1_003_600.0
ROWS = [
    {"step": 10, "epoch": 1.0, "loss": 0.5, "validation_loss": 0.6, "learning_rate": 1e-3},
    {"step": 20, "epoch": 2.0, "loss": 0.25, "validation_loss": 0.4, "learning_rate": 1e-3},
]
COSTS = [
    UnitCost("cpu", stage, "", work, unit, seconds, 1, "measured", "another run")
    for stage, work, unit, seconds in (
        ("sample", 1.0, "Gflop", 5e9),
        ("train", 1.0, "Gflop", 1.0),
        ("evaluate", 1.0, "megapixel", 40.0),
        ("measure", 1.0, "megapixel", 10.0),
        ("split", 1.0, "megapixel", 10.0),
    )
]


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(BASE_CONFIG)


def job(stage: str, name: str, needs: tuple[int, ...], output: str, **facts: object) -> Job:
    """Return a job whose files are called `name`."""
    files = {"log": f"results/logs/{name}.log", "benchmark": f"results/benchmarks/{name}.tsv"}
    return Job(stage, stage, {"task": "mri8"}, needs, False, outputs=(f"results/{output}",), **files | facts)  # type: ignore[arg-type]


def sampling(number: int) -> Job:
    wildcards = {"task": "mri8", "method": "bcs", "shard": f"{number:03d}"}
    return replace(job("sample", f"sample-{number}", (2,), f"samples/{number:03d}.h5"), wildcards=wildcards)


def training(prior: str) -> Job:
    made = job("train", f"train-{prior}", (0,), f"mri/priors/{prior}")
    return replace(made, wildcards={"domain": "mri", "prior": prior})


def write(file: Path, text: str = "", at_s: float = BEGAN + 60) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (at_s, at_s))


@pytest.fixture
def run(tmp_path) -> PlannedRun:
    """A run whose files are in the folder: two of three samples are done, one is at work, as is a training."""
    results = tmp_path / "results"
    jobs = [
        job("split", "split", (), "mri/index.csv", is_planned=False),
        training("image"),
        job("measure", "measure", (0,), "measurements"),
        *map(sampling, range(3)),
        job("evaluate", "evaluate", (3, 4, 5), "metrics.csv"),
        Job("all", "", {}, (6,), False),
        training("video"),
    ]
    write(results / "mri/index.csv", at_s=BEGAN - 9000)
    write(results / "measurements", at_s=BEGAN + 5)
    for number, seconds in ((0, 100.0), (1, 140.0)):
        write(results / f"samples/{number:03d}.h5")
        write(results / f"benchmarks/sample-{number}.tsv", f"s\tmax_rss\n{seconds}\t5\n")
        write(results / f"logs/sample-{number}.log", "12:00:00 wrote it")
    write(results / "logs/sample-2.log", "12:00:00 sampling: level 6 of 10, 2 min left\n", at_s=NOW - 20)
    write(results / "logs/evaluate.log", "of an earlier run", at_s=BEGAN - 9000)
    write(results / "metrics.csv", "of an earlier run", at_s=BEGAN - 9000)
    network, average = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    optimiser = torch.optim.Adam(network.parameters())
    history = History(ROWS)
    save_state(results / "mri/priors/.state/image/key.safetensors", 20, network, average, optimiser, history, False)
    write(results / "logs/train-image.log", "12:00:00 training image: step 21 of 40, loss 0.2\n", at_s=NOW - 900)
    (results / "mri/priors/video").mkdir()
    write_table(results / "mri/priors/video/losses.csv", ROWS[:1])
    return PlannedRun(BEGAN, "cpu", 2, tuple(jobs))


@pytest.fixture
def progress(run, config, tmp_path) -> StudyProgress:
    return study_progress(config, run, COSTS, tmp_path, NOW)


def test_what_the_run_was_to_write_anew_is_done_once_it_is_newer_than_the_run(progress):
    assert progress.jobs == {"split": 1, "train": 2, "measure": 1, "sample": 3, "evaluate": 1}
    assert progress.done == {"split": 1, "train": 1, "measure": 1, "sample": 2, "evaluate": 0}
    assert not progress.is_complete


@pytest.mark.parametrize(("training_s", "left_s"), [(100.0, 0.5 * 120 + 40), (1000.0, 0.5 * 1000)])
def test_the_time_left_is_by_what_this_run_s_jobs_took_and_by_how_far_those_at_work_are(
    run, config, tmp_path, training_s, left_s
):
    # Half of a sample, which took 120 s each, and then a table of the one cost there is, next to half of a training.
    trained = study_work(config).of(training("image"))
    costs = [cost for cost in COSTS if cost.stage != "train"]
    costs.append(UnitCost("cpu", "train", trained.of, trained.amount, trained.unit, training_s, 1, "measured", "x"))
    assert study_progress(config, run, costs, tmp_path, NOW).left_s == pytest.approx(left_s)


def test_a_job_that_has_begun_is_shown_with_its_last_line_and_for_how_long_it_was_silent(progress):
    assert [(one.log, one.quiet_s, one.done_share) for one in progress.at_work] == [
        ("results/logs/sample-2.log", 20, 0.5),
        ("results/logs/train-image.log", 900, 0.5),
    ]
    assert progress.at_work[0].last_line.endswith("level 6 of 10, 2 min left")


def test_losses_are_those_of_the_network_or_else_of_the_saved_state(progress):
    found = {training.name: (training.is_done, len(training.rows)) for training in progress.trainings}
    assert found == {"mri/priors/image": (False, 2), "mri/priors/video": (True, 1)}
    assert progress.trainings[0].rows[-1]["validation_loss"] == 0.4


def test_a_damaged_state_has_no_losses(run, config, tmp_path):
    (tmp_path / "results/mri/priors/.state/image/key.safetensors").write_bytes(b"\x09" + bytes(7) + b"{damaged}")
    names = [training.name for training in study_progress(config, run, COSTS, tmp_path, NOW).trainings]
    assert names == ["mri/priors/video"]


def test_the_page_and_the_lines_say_the_same(progress):
    page, lines = as_page(progress), "\n".join(as_lines(progress))
    for fact in ("5 of 8 jobs are done after 1 h", "left by the estimate", "level 6 of 10", "loss 0.25"):
        assert fact in page
        assert fact in lines
    assert "http-equiv='refresh'" in page
    assert page.count("<polyline") == 4
    assert page.count("class='quiet'") == 3  # the cells of the training alone


def test_the_page_of_a_finished_run_does_not_load_itself_anew(progress):
    finished = replace(progress, done=progress.jobs)
    assert headline(finished) == "all 8 jobs are done"
    assert "refresh" not in as_page(finished)


def test_stages_that_were_not_measured_are_said(run, config, tmp_path):
    costs = [cost for cost in COSTS if cost.stage != "evaluate"]
    progress = study_progress(config, run, costs, tmp_path, NOW)
    assert "1 jobs of stages that were not measured left out" in headline(progress)


def test_the_command_prints_it_and_writes_the_page(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_planned_run(Path("results") / PLANNED_RUN, run)
    assert read_planned_run(Path("results") / PLANNED_RUN) == run
    assert main(["describe", "--progress"]) == 0
    assert "5 of 8 jobs are done" in capsys.readouterr().out
    assert "5 of 8 jobs are done" in Path("results/progress.html").read_text()


@pytest.mark.parametrize(("text", "message"), [(None, "no run's jobs in"), ("{}", "is no run's jobs")])
def test_where_there_was_no_run_it_says_so(tmp_path, text, message):
    file = tmp_path / "progress.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_planned_run(file)


def test_a_run_writes_its_page_as_it_begins_and_as_it_ends(run, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    at_exit = []
    monkeypatch.setattr(following.atexit, "register", at_exit.append)
    monkeypatch.setattr(following, "planned_jobs", lambda dag, all_of_them: list(run.jobs))
    workflow = SimpleNamespace(dag=None, local_exec=True, resource_settings=SimpleNamespace(cores=2, nodes=None))
    following.follow_run(workflow, config)
    page, [end] = Path("results/progress.html"), at_exit
    assert "2 of 8 jobs are done" in page.read_text()  # what is not older than this run
    write(Path("results/samples/002.h5"), at_s=time.time())
    with chdir("/"):  # as snakemake does
        end()
    assert "3 of 8 jobs are done" in page.read_text()


def test_a_run_whose_page_cannot_be_written_goes_on(run, config, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(following, "planned_jobs", lambda dag, all_of_them: list(run.jobs))
    Path("results/progress.html").mkdir()
    workflow = SimpleNamespace(dag=None, local_exec=True, resource_settings=SimpleNamespace(cores=2, nodes=None))
    following.follow_run(workflow, config)
    assert "no progress page" in caplog.text
