"""A prior that was trained elsewhere takes the place of the trainings."""

import csv
import shutil

from project_copy import ONE_THREAD
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
