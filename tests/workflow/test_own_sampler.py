"""A sampler that the project does not know: one module, a method that names it, its settings in a task."""

import csv
import math

import pytest
import yaml
from own_sampler import MODULE
from step.config.study import load_config

MINIATURE = "config/miniature.yaml"
OVERLAY = """
methods: {descent: {prior: joint, noise: {source: independent}, sampler: descent_sampler}}
tasks: {mri8: {samplers: {descent_sampler: {steps: 3, step_size: 1.0e-4}}}}
"""
TUNING = """
tuning:
  tasks: [mri8]
  method: descent
  trials: 2
  space:
    step_size_squared: null
    damping: null
    step_decay: null
    noise_level: null
    own: {step_size: [0.1, 10]}
"""
SAMPLES = "results/miniature/mri8/metrics/descent.csv"
JOBS = {"sample": 1, "evaluate": 1}


@pytest.fixture(scope="module")
def with_descent(miniature):
    (miniature.folder / "workflow/descent_sampler.py").write_text(MODULE)
    return miniature, miniature.overlay("descent", OVERLAY)


def test_a_new_sampler_goes_through_the_graph_to_its_metrics_and_costs(with_descent):
    copy, overlay = with_descent
    run = copy.snakemake(SAMPLES, overlays=(MINIATURE, overlay))
    assert run.status == 0, run.stdout + run.stderr
    assert run.jobs == JOBS
    with (copy.folder / SAMPLES).open() as file:
        assert all(math.isfinite(float(row["psnr"])) for row in csv.DictReader(file))
    with (copy.folder / "results/miniature/mri8/samples/descent/000-cost.csv").open() as file:
        [cost] = csv.DictReader(file)
    assert (float(cost["decoder_evaluations"]), float(cost["denoiser_evaluations"])) == (3, 0)


def with_another_prior(text: str) -> str:
    return text.replace("(gradient - latent)", "(gradient - 2 * latent)")


def test_what_it_is_and_what_it_is_set_to_make_its_samples_stale_and_no_other(with_descent):
    copy, overlay = with_descent
    with copy.edited(
        "workflow/descent_sampler.py", lambda text: text.replace("(gradient - latent)", "(gradient - 2 * latent)")
    ):
        run = copy.snakemake("-n", SAMPLES, "results/miniature/mri8/metrics/bis.csv", overlays=(MINIATURE, overlay))
    assert run.jobs == JOBS
    longer = copy.overlay("longer", OVERLAY.replace("steps: 3", "steps: 4"))
    run = copy.snakemake("-n", SAMPLES, "results/miniature/mri8/metrics/bis.csv", overlays=(MINIATURE, longer))
    assert run.jobs == JOBS


def test_it_is_tuned_by_its_own_settings(with_descent):
    copy, overlay = with_descent
    tuning = copy.overlay("tuning", TUNING)
    tuned = "results/miniature/mri8/tuning/tuned.yaml"
    representation = "results/miniature/mri8/tuning/representation.yaml"
    run = copy.snakemake(tuned, representation, overlays=(MINIATURE, overlay, tuning))
    assert run.status == 0, run.stdout + run.stderr
    found = yaml.safe_load((copy.folder / tuned).read_text())["tasks"]["mri8"]["samplers"]["descent_sampler"]
    lost = yaml.safe_load((copy.folder / representation).read_text())["tasks"]["mri8"]["sampler"]["likelihood"]
    assert lost["noise_level"] > load_config(copy.folder / MINIATURE).tasks["mri8"].measurement.noise_level
    assert 1e-5 <= found["step_size"] <= 1e-3
