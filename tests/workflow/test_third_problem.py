"""A measurement that the project does not know: one module and one entry of the configuration, and nothing else.

It is the instrument of docs/forward-models.md, from the document itself, outside the library.
"""

import csv
import json
import math

import pytest
from documented_code import FORWARD_MODELS, module
from step.config.study import load_config
from step.io.reconstructions import read_measurement

MINIATURE = "config/miniature.yaml"
ENTRY = """
tasks:
  deblurring:
    domain: mri
    measurement: {model: deblurring, blur: 0.2, noise_level: 0.02}
    samples: 1
    videos_per_job: 2
    references: [zero_filled, total_variation, low_rank_sparse, static]
    classical:
      total_variation: {weight: 0.01, iterations: 2}
      low_rank_sparse: {low_rank_weight: 0.01, sparse_weight: 0.001, iterations: 5}
    optical_flow:
      source: backprojection
      estimator: tvl1
      tvl1: {attachment: 15, tightness: 0.3, warps: 5, iterations: 10}
    sampler:
      annealing: {levels: 2, sigma_max: 20, sigma_min: 0.05, rho: 7}
      ode: {steps: 2, sigma_min: 0.01, rho: 7}
      pixel_space: {above_sigma: null, spread: 0.1, iterations: 1}
      mcmc:
        algorithm: damped
        steps: 2
        damping: 0.8
        acceptance: 0.65
        step_size_squared: 1.0e-3
        step_decay: 0.011
        prior_score: frozen
        prior_score_every: 1
        prior_score_sigma: 0.05
        gaussian_width: 1.0
        limit_step_to_sigma: true
      likelihood: {noise_level: 0.05, gradient_bound: 80}
      networks: {precision: float32, channels_last: false, compile: false, frames_per_chunk: 2}
      videos_per_batch: 1
      frames_per_chunk: 2
    samplers: {}
"""


JOBS = {
    "measure": 1,
    "optical_flow": 1,
    "sample": 9,
    "reference": 4,
    "evaluate": 13,
    "extract_features": 1,
    "tabulate": 1,
}


@pytest.fixture(scope="module")
def with_deblurring(miniature):
    (miniature.folder / "deblurring.py").write_text(module(FORWARD_MODELS, "deblurring.py"))
    return miniature, miniature.overlay("deblurring", ENTRY)


def test_a_new_measurement_goes_through_the_graph_to_its_table(with_deblurring):
    copy, entry = with_deblurring
    table = "results/miniature/deblurring/metrics.csv"
    run = copy.snakemake(table, overlays=(MINIATURE, entry))
    assert run.status == 0, run.stdout + run.stderr
    assert run.jobs == JOBS
    with (copy.folder / table).open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    warping = ["bilinear", "bicubic", "nearest", "integral", "gp_warp"]
    references = ["zero_filled", "total_variation", "low_rank_sparse", "static"]
    assert list(rows) == ["bis", "bcs", *warping, "step_video", "step_joint", *references]
    assert all(math.isfinite(float(row["psnr"])) for row in rows.values())
    # The measurement is nearly the video, so the backprojection is close to it; and the classical ones fit the data.
    assert float(rows["zero_filled"]["psnr"]) > 15
    for classical in ("total_variation", "low_rank_sparse"):
        assert float(rows[classical]["data_misfit"]) < float(rows["zero_filled"]["data_misfit"])


def test_an_edit_of_the_new_module_makes_its_jobs_stale_and_no_other(with_deblurring):
    copy, entry = with_deblurring
    with copy.edited("deblurring.py", lambda text: text.replace("fftfreq(length)", "fftfreq(length) * 1")):
        run = copy.snakemake("-n", "all", "results/miniature/deblurring/metrics.csv", overlays=(MINIATURE, entry))
    # The run summary says the whole configuration, which has a task more.
    assert run.jobs == JOBS | {"run_summary": 1, "report_study": 1}


@pytest.fixture(scope="module")
def with_operator(miniature):
    (miniature.folder / "lens.py").write_text(module(FORWARD_MODELS, "lens.py"))
    measurement = '{model: deepinv_operator, operator: "lens:build", options: {factor: 2}, noise_level: 0.02}'
    entry = ENTRY.replace("{model: deblurring, blur: 0.2, noise_level: 0.02}", measurement)
    return miniature, miniature.overlay("superresolution", entry.replace("deblurring:", "superresolution:"))


def test_an_operator_of_deepinv_goes_through_the_graph_and_an_edit_of_its_module_makes_its_jobs_stale(with_operator):
    copy, entry = with_operator
    results = "results/miniature/superresolution"
    targets = [f"{results}/{name}" for name in ("measurements", "samples/bis/000.h5", "references/total_variation.h5")]
    run = copy.snakemake(*targets, overlays=(MINIATURE, entry))
    assert run.status == 0, run.stdout + run.stderr
    jobs = {"measure": 1, "sample": 1, "reference": 1}
    assert run.jobs == jobs
    assert read_measurement(copy.folder / targets[0] / "video000.h5")["data"].shape == (4, 2, 8, 8)
    with copy.edited("lens.py", lambda text: text.replace("factor=factor", "factor=1 * factor")):
        run = copy.snakemake("-n", "all", *targets, overlays=(MINIATURE, entry))
    assert {rule: run.jobs[rule] for rule in jobs} == jobs


SECOND_ARRAY = """
tasks:
  blackhole_small:
    domain: blackhole
    measurement: {measurement}
    samples: 1
    videos_per_job: 2
    references: [dirty]
    classical: {{}}
    optical_flow: {optical_flow}
    sampler: {sampler}
    samplers: {{}}
"""


def test_another_array_and_observing_time_need_edits_of_the_configuration_alone(miniature):
    config = load_config(miniature.folder / MINIATURE)
    task = config.tasks["blackhole"].model_dump(mode="json")
    stations = (miniature.folder / "resources/eht2017.csv").read_text().splitlines()
    (miniature.folder / "observed/five.csv").write_text("\n".join(stations[:6]) + "\n")
    measurement = task["measurement"] | {"array": "observed/five.csv", "start_utc_h": 12.9, "frequency_hz": 345.0e9}
    text = SECOND_ARRAY.format(
        measurement=json.dumps(measurement),
        sampler=json.dumps(task["sampler"]),
        optical_flow=json.dumps(task["optical_flow"]),
    )
    entry = miniature.overlay("five", text)
    target = "results/miniature/blackhole_small/measurements"
    run = miniature.snakemake(target, overlays=(MINIATURE, entry))
    assert run.status == 0, run.stdout + run.stderr
    assert run.jobs == {"measure": 1}
    measured = read_measurement(miniature.folder / target / "video000.h5")
    eight = read_measurement(miniature.folder / "results/miniature/blackhole/measurements/video000.h5")
    assert measured["stations"].max() < 5 < eight["stations"].max()
    assert measured["time_h"].min() == pytest.approx(12.9)
    assert (measured["closure_phase_sigma"] > 0).sum() == 4 * 6  # five stations: 4 * 3 / 2 triangles a frame
