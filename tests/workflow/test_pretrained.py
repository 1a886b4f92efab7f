"""A prior that was trained elsewhere takes the place of the trainings, and of the videos to train on."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project_copy import ONE_THREAD
from step.io.prior_folders import verify_prior
from step.io.videos import read_index
from tiny_priors import write_tiny_prior

MINIATURE = "config/miniature.yaml"
TRAININGS = {"train_autoencoder", "train_denoiser"}
RESULTS = "results: results/elsewhere\ndata: {mri: {root: results/elsewhere/mri/raw}}\n"
TINY = "data: {mri: {frames: 3, window_stride: 3}}\nmethods: {bis: {prior: joint}}\n"


def pretrained(folder: object) -> str:
    return f"priors: {{mri: {{pretrained: {folder}}}}}\n"


def test_a_study_with_a_pretrained_prior_plans_no_training_but_takes_its_networks(project_copy, tmp_path):
    folder = write_tiny_prior(tmp_path)
    overlay = project_copy.overlay("pretrained", pretrained(folder) + TINY)
    wanted = [f"results/miniature/mri8/metrics/{method}.csv" for method in ("bis", "step_joint")]
    plan = project_copy.snakemake("-n", *wanted, overlays=(MINIATURE, overlay))
    assert not TRAININGS & plan.jobs.keys()
    assert plan.jobs["take_network"] == 2
    fetched = project_copy.overlay("hub", pretrained("people/hearts@v1") + TINY)
    plan = project_copy.snakemake("-n", *wanted, overlays=(MINIATURE, fetched))
    assert not TRAININGS & plan.jobs.keys()
    assert (plan.jobs["fetch_prior"], plan.jobs["take_network"]) == (1, 2)


def test_a_prior_of_other_videos_ends_the_plan_with_one_line(project_copy, tmp_path):
    overlay = project_copy.overlay("other", pretrained(write_tiny_prior(tmp_path)))
    wanted = "results/miniature/mri8/metrics/step_joint.csv"
    plan = project_copy.snakemake("-n", wanted, overlays=(MINIATURE, overlay))
    assert plan.status != 0
    assert "(3, 2, 16, 16), the study has (4, 2, 16, 16); change priors.mri.pretrained" in plan.stdout + plan.stderr
    assert "Traceback" not in plan.stdout + plan.stderr


def test_a_trained_prior_serves_another_study_from_a_folder_elsewhere(miniature, tmp_path):
    made = miniature.snakemake("results/miniature/mri/prior", overlays=(MINIATURE,))
    assert made.jobs == {"assemble_prior": 1}
    elsewhere = shutil.copytree(miniature.folder / "results/miniature/mri/prior", tmp_path / "prior")
    overlay = miniature.overlay("elsewhere", RESULTS + pretrained(elsewhere))
    table = "results/{}/mri8/metrics/step_joint.csv"
    run = miniature.snakemake(table.format("elsewhere"), *ONE_THREAD, overlays=(MINIATURE, overlay))
    assert run.status == 0, run.stdout + run.stderr
    assert not TRAININGS & run.jobs.keys()
    # The same prior, raw data, seed and number of threads: the same numbers.
    rows = []
    for results in ("elsewhere", "miniature"):
        with (miniature.folder / table.format(results)).open() as file:
            rows.append([row["psnr"] for row in csv.DictReader(file)])
    assert rows[0] == rows[1]


SKY = {"channels": 1, "display": "unit_range", "brightness": {"mean": 20.0, "std": 2.0}}
SKY["geometry"] = {"field_of_view_uas": 160.0, "cadence_s": 1632.0}


def nobody_to_train_on(folder: Path) -> str:
    """Write a prior of float16 for each domain; return the study of held-out subjects alone that uses them."""
    priors = {
        "mri": write_tiny_prior(folder / "mri", "mri", half_precision=True),
        "blackhole": write_tiny_prior(folder / "blackhole", "blackhole", half_precision=True, **SKY),
    }
    raw = "results/nobody/{}/raw".format
    study = {
        "results": "results/nobody",
        "targets": {"ablations": ["hmc_steps"]},
        "data": {
            "mri": {"root": raw("mri"), "frames": 3, "window_stride": 3, "videos": 0, "simulation": {"patients": 3}},
            "blackhole": {
                "root": raw("blackhole"),
                "frames": 3,
                "videos": 0,
                "simulation": {"movies": 3, "image_sets": 0},
            },
        },
        "priors": {domain: {"pretrained": str(prior)} for domain, prior in priors.items()},
        "methods": {"bis": {"prior": "joint"}},
    }
    return json.dumps(study)


def test_the_whole_study_needs_no_video_to_train_on_where_priors_are_pretrained(project_copy, tmp_path):
    overlays = (MINIATURE, project_copy.overlay("nobody", nobody_to_train_on(tmp_path)))
    plan = project_copy.snakemake("-n", "all", "priors", "observations", overlays=overlays)
    assert not {*TRAININGS, "train_ablation", "split_ablation", "assemble_prior"} & plan.jobs.keys()
    assert [plan.jobs[rule] for rule in ("copy_prior", "split", "simulate_mri", "simulate_blackhole")] == [2, 2, 1, 1]
    trained = project_copy.snakemake("-n", "results/nobody/ablations/epochs/curve.csv", overlays=overlays)
    assert trained.status != 0
    assert "error: ablations.epochs needs a training, and priors.blackhole.pretrained is" in trained.stderr
    assert "Traceback" not in trained.stdout + trained.stderr


def test_the_project_s_own_prior_is_found_from_another_folder(project_copy, tmp_path):
    prior = write_tiny_prior(tmp_path / "made")
    shipped = shutil.copytree(prior, project_copy.folder / "resources/priors/tiny")
    project_copy.overlay("shipped", pretrained("resources/priors/tiny") + TINY)
    overlays = [project_copy.folder / name for name in (MINIATURE, "shipped.yaml")]
    wanted = "results/miniature/mri/priors/joint"
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", project_copy.folder / "Snakefile"]
    here = subprocess.run(
        [*snakemake, "--cores", "1", wanted, "--configfile", *overlays],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert here.returncode == 0, here.stdout + here.stderr
    taken = tmp_path / wanted / "step.json"
    assert taken.read_text() == (shipped / "joint/step.json").read_text()


@pytest.mark.study
def test_held_out_subjects_of_both_domains_are_reconstructed_without_any_other(project_copy, tmp_path):
    overlays = (MINIATURE, project_copy.overlay("nobody", nobody_to_train_on(tmp_path)))
    results = project_copy.folder / "results/nobody"
    tables = [f"{task}/metrics/step_joint.csv" for task in ("mri8", "blackhole")]
    others = ["mri/prior", "blackhole/prior", "observations/night/night.h5"]
    wanted = [f"results/nobody/{name}" for name in (*tables, *others)]
    run = project_copy.snakemake(*wanted, *ONE_THREAD, overlays=overlays)
    assert run.status == 0, run.stdout + run.stderr
    for domain in ("mri", "blackhole"):
        records = read_index(results / domain / "index.csv")
        assert {record.split for record in records} == {"validation", "test"}
        assert len({record.subject for record in records}) == 3
        verify_prior(results / domain / "prior")
    for table in tables:
        with (results / table).open() as file:
            assert [float(row["psnr"]) > 0 for row in csv.DictReader(file)] == [True, True]
