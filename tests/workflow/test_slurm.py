"""The study through a real Slurm: where jobs run, what survives a kill, and that the results are the local ones."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from project_copy import ONE_THREAD, PROJECT, Copy, copy_of_project, run_miniature
from slurm_cluster import Cluster, Record, why_not
from waiting import wait_for

GPU_RULES = {"train_autoencoder", "train_denoiser", "sample"}
TABLE = "results/miniature/mri8/tour/metrics.csv"
AUTOENCODER = Path("results/miniature/mri/priors/autoencoder")
LONG_TRAINING = "priors: {mri: {autoencoder_training: {optimisation: {epochs: 300, checkpoint_minutes: 0.02}}}}"
STUDY = ["--configfile", "config/miniature.yaml", "--", TABLE]
FAST = ["--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1", "--latency-wait", "5"]

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(why_not()), reason=f"no Slurm can be started here: {why_not()}"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """A cluster with two GPUs."""
    slurm = Cluster(tmp_path_factory.mktemp("slurm"), cores=32, gpus=2)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


def copy_for_slurm(folder: Path) -> Copy:
    """Return a copy of the project in which `snakemake --profile slurm` works as in the project's own root."""
    copy = copy_of_project(folder)
    (folder / "profiles").mkdir()
    (folder / "profiles/slurm").symlink_to(PROJECT / "profiles/slurm")
    (folder / "slurm").symlink_to("profiles/slurm")
    return copy


def start(cluster: Cluster, copy: Copy, *arguments: str) -> subprocess.Popen:
    """Start snakemake as a user of the cluster does."""
    environment = {name: value for name, value in cluster.environment.items() if name != "PYTHONPATH"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--nocolor", *FAST, *ONE_THREAD, *arguments]
    output = (copy.folder / "snakemake.out").open("ab")
    # Where the tests run in the background, interrupts are ignored, and so they would be here.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, cwd=copy.folder, env=environment, stdout=output, stderr=output, preexec_fn=heed)


def wait_for_job(cluster: Cluster, rule: str) -> str:
    """Return the number of a running job of `rule`."""

    def running() -> str | None:
        lines = cluster.ask("squeue", "--noheader", "--states=RUNNING", "--format=%i rule: %k").splitlines()
        return next((line.split()[0] for line in lines if f"rule: rule_{rule}" in line), None)

    return wait_for(running, lambda: f"no job of {rule} ran", seconds=300)


def most_at_once(records: list[Record]) -> int:
    """Return the largest number of jobs that ran at the same time."""
    return max(sum(r.started <= other.started < r.ended for r in records) for other in records)


@pytest.fixture(scope="module")
def finished(cluster, tmp_path_factory) -> Copy:
    """A copy whose study was made through the queue, though one of its samplings was cancelled once."""
    copy = copy_for_slurm(tmp_path_factory.mktemp("study"))
    run = start(cluster, copy, *STUDY)
    cluster.ask("scancel", wait_for_job(cluster, "sample"))
    status = run.wait(timeout=600)
    assert status == 0, (copy.folder / "snakemake.out").read_text()[-4000:]
    return copy


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Copy:
    """A copy whose study was made without Slurm."""
    copy = copy_for_slurm(tmp_path_factory.mktemp("local"))
    run = run_miniature(copy, TABLE)
    assert run.status == 0, run.stdout + run.stderr
    return copy


def test_jobs_ran_in_their_partitions_and_never_more_than_there_are_gpus(cluster, finished):
    on_gpu = [record for record in cluster.jobs() if record.rule in GPU_RULES]
    on_cpu = [record for record in cluster.jobs() if record.rule not in GPU_RULES]
    assert {record.rule for record in on_gpu} == GPU_RULES
    assert {(record.partition, record.gpus) for record in on_gpu} == {("gpu", 1)}
    assert {(record.partition, record.gpus) for record in on_cpu} == {("cpu", 0)}
    assert most_at_once(on_gpu) <= 2


def test_a_job_that_was_cancelled_was_tried_again(cluster, finished):
    states = [record.state for record in cluster.jobs() if record.rule == "sample"]
    assert sorted(states) == ["CANCELLED", "COMPLETED", "COMPLETED"]


def test_the_results_are_those_of_a_run_without_slurm(finished, local):
    for file in ("samples/bcs/000.h5", "samples/step_joint/000.h5"):
        assert_same_samples(*(copy.folder / "results/miniature/mri8" / file for copy in (finished, local)))
    tables = [(copy.folder / TABLE).read_text() for copy in (finished, local)]
    assert tables[0] == tables[1]


def test_what_a_run_without_slurm_finished_has_nothing_to_do_under_slurm(cluster, local):
    more = ["--set-resources", "train_autoencoder:gpu=2", "sample:mem_mb=99000", "--jobs", "7"]
    assert start(cluster, local, "-n", *more, *STUDY).wait(timeout=60) == 0
    assert "Nothing to be done" in (local.folder / "snakemake.out").read_text()


def test_an_interrupt_leaves_no_job_in_the_queue(cluster, tmp_path):
    copy = copy_for_slurm(tmp_path)
    run = start(cluster, copy, *STUDY)
    wait_for_job(cluster, "simulate_mri")
    run.send_signal(signal.SIGINT)
    try:
        run.wait(timeout=60)
    finally:
        run.kill()
    wait_for(lambda: cluster.ask("squeue", "--format=%i").split() == ["JOBID"], lambda: "jobs are left", seconds=20)


@pytest.fixture(scope="module")
def undisturbed(cluster, tmp_path_factory) -> bytes:
    """The weights of a long training that nothing happened to, without Slurm."""
    copy = copy_with_long_training(tmp_path_factory.mktemp("undisturbed"))
    run = copy.snakemake(AUTOENCODER, *ONE_THREAD, overlays=("config/miniature.yaml", "long.yaml"))
    assert run.status == 0, run.stdout + run.stderr
    return copy.weights(AUTOENCODER)


@pytest.mark.parametrize("disturb", ["warning", "termination", "crash of the node"])
def test_a_training_that_is_stopped_goes_on_in_the_next_try_to_the_same_weights(
    cluster, undisturbed, tmp_path, disturb
):
    copy = copy_with_long_training(tmp_path)
    run = start(cluster, copy, "--configfile", "config/miniature.yaml", "long.yaml", "--", str(AUTOENCODER))
    number = wait_for_job(cluster, "train_autoencoder")
    state = copy.folder / AUTOENCODER.with_name(".state")
    wait_for(lambda: list(state.rglob("*.safetensors")), lambda: f"no state of a training in {state}")
    if disturb == "warning":  # what Slurm sends before the end of the time
        cluster.ask("scancel", "--signal=USR1", number)
    elif disturb == "termination":
        cluster.ask("scancel", number)
    else:
        cluster.crash_node()
    assert run.wait(timeout=400) == 0, (copy.folder / "snakemake.out").read_text()[-4000:]
    logs = "".join(log.read_text() for log in (copy.folder / "results/logs/slurm").rglob("*.log"))
    assert ("the same command goes on from there" in logs) == (disturb != "crash of the node")
    assert "resuming at step" in logs
    assert copy.weights(AUTOENCODER) == undisturbed


def copy_with_long_training(folder: Path) -> Copy:
    copy = copy_for_slurm(folder)
    copy.overlay("long", LONG_TRAINING)
    return copy


def assert_same_samples(one: Path, other: Path) -> None:
    """Raise unless two files have the same reconstructions, number for number."""
    with h5py.File(one) as first, h5py.File(other) as second:
        names: list[str] = []
        first.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert names
        for name in names:
            np.testing.assert_array_equal(first[name][()], second[name][()], err_msg=name)
