"""Which files each job is given: those that its modules name, those it is about, and no truth where one would help."""

import json
import re

import pytest
from documented_code import DENOISERS, module
from own_domain import add_fluorescence
from project_copy import Copy, copy_of_project
from step.config.study import load_config

MINIATURE = "config/miniature.yaml"
LENS = "observed/lens.csv"
MODEL = """
from pathlib import Path

from step.physics import mri


class Settings(mri.Settings):
    model: str
    lens: Path


def build(settings, shape, noise_level):
    return mri.build(settings, shape, noise_level)
"""
NOISE = """
from pathlib import Path

from step.config.sections import Section
from step.sampling.noise.independent import IndependentNoise


class Settings(Section):
    source: str
    spectrum: Path


def build(settings, optical_flow, latent_shape):
    return IndependentNoise()
"""
ENTRIES = f"""
tasks:
  mri8: {{measurement: {{model: lens, lens: {LENS}}}}}
methods:
  coloured:
    prior: image
    noise: {{source: colours, uses_optical_flow: false, spectrum: observed/spectrum.csv}}
    sampler: daps
"""


@pytest.fixture(scope="module")
def inputs_of(project_copy):
    """Return a function from a target to the inputs of each planned job, by the name of its log."""
    (project_copy.folder / "workflow/step/physics/lens.py").write_text(MODEL)
    (project_copy.folder / "workflow/step/sampling/noise/colours.py").write_text(NOISE)
    for name in ("lens", "spectrum"):
        (project_copy.folder / f"observed/{name}.csv").write_text("1\n")

    def plan(*targets: str, overlay: str) -> dict[str, list[str]]:
        entry = project_copy.overlay("inputs", overlay)
        run = project_copy.snakemake("-n", "-F", *targets, overlays=(MINIATURE, entry))
        assert run.status == 0, run.stdout + run.stderr
        return inputs_of_jobs(run.stdout)

    return plan


def inputs_of_jobs(text: str) -> dict[str, list[str]]:
    """Return the inputs of the jobs that snakemake prints in a dry run, by the names of their logs."""
    jobs = {}
    for job in re.split(r"\n(?=(?:local)?rule )", text):
        found = {key: re.search(rf"^    {key}: (.*)$", job, re.MULTILINE) for key in ("input", "log")}
        if all(found.values()):
            name = found["log"][1].removeprefix("results/miniature/logs/").removesuffix(".log")
            jobs[name] = found["input"][1].split(", ")
    return jobs


@pytest.fixture(scope="module")
def of_plug_ins(inputs_of):
    targets = ("mri8/metrics.csv", "mri8/calibration/coloured.csv", "mri8/figures/methods.png")
    return inputs_of(*(f"results/miniature/{target}" for target in targets), overlay=ENTRIES)


def test_a_file_that_a_plug_in_measurement_names_is_an_input_of_every_job_that_builds_it(of_plug_ins):
    built = {job for job, files in of_plug_ins.items() if LENS in files}
    rows = [
        "bis",
        "bcs",
        "bilinear",
        "bicubic",
        "nearest",
        "integral",
        "gp_warp",
        "step_video",
        "step_joint",
        "coloured",
    ]
    references = ["zero_filled", "total_variation", "low_rank_sparse", "static", "vae"]
    expected = {"mri8/measure", "mri8/optical_flow/000", "mri8/calibration/coloured-000", "mri8/calibrate/coloured"}
    expected |= {f"mri8/sample/{row}-000" for row in rows}
    expected |= {f"mri8/evaluate/{row}" for row in [*rows, *references]}
    expected |= {f"mri8/reference/{name}" for name in ("zero_filled", "total_variation", "low_rank_sparse")}
    assert built == expected


def test_a_file_that_a_plug_in_noise_names_is_an_input_of_its_sampling_alone(of_plug_ins):
    jobs = {job for job, files in of_plug_ins.items() if "observed/spectrum.csv" in files}
    assert jobs == {"mri8/sample/coloured-000", "mri8/calibration/coloured-000"}


def test_no_job_that_reconstructs_from_a_measurement_is_given_a_truth(of_plug_ins):
    given = {job for job, files in of_plug_ins.items() if any("truths" in file for file in files)}
    stages = {job.removeprefix("mri8/").partition("/")[0] for job in given}
    assert stages == {"evaluate", "reference", "calibrate", "extract_features", "figures"}
    assert {job for job in given if "reference" in job} == {"mri8/reference/static", "mri8/reference/vae"}


def test_the_methods_of_fig_7a_are_those_that_the_figures_name_whatever_is_calibrated(inputs_of):
    overlay = "calibration: {methods: [bis]}\nfigures: {deltas: [bcs, step_joint]}\n"
    jobs = inputs_of("results/miniature/mri8/figures/deltas.png", overlay=overlay)
    samples = {file for file in jobs["mri8/figures/deltas"] if "/samples/" in file}
    assert samples == {f"results/miniature/mri8/samples/{name}/000.h5" for name in ("bcs", "step_joint")}


def test_an_observation_needs_training_videos_only_where_its_format_uses_them(inputs_of):
    nights = "observations: {night: {data: {light_curve: none}}}\n"
    targets = [f"results/miniature/observations/{name}/{name}.h5" for name in ("night", "scan")]
    jobs = inputs_of(*targets, overlay=nights)
    assert set(jobs) == {"observations/night/read", "observations/scan/read"}
    jobs = inputs_of(targets[0], overlay="{}\n")
    assert "results/miniature/blackhole/index.csv" in jobs["observations/night/read"]


def test_masks_are_plotted_of_every_domain_that_has_a_measurement_of_model_mri(project_copy):
    config = load_config(project_copy.folder / MINIATURE)
    task = config.tasks["mri8"].model_dump(mode="json") | {"domain": "blackhole"}
    entry = project_copy.overlay("masks", json.dumps({"tasks": {"gated": task}, "targets": {"all": ["mri8", "gated"]}}))
    run = project_copy.snakemake("-n", "-F", "figure9", overlays=(MINIATURE, entry))
    assert run.jobs == {"plot_masks": 2}


def named_by(copy: Copy, file: str, field: str, settings_of: tuple[str, str] = ("", "")) -> None:
    """Give the first section of a module a field that is a path."""
    path = copy.folder / "workflow" / file
    text = path.read_text().replace(field, f"{field}\n    calibration: Path", 1).replace(*settings_of)
    path.write_text(f"from pathlib import Path\n{text}")


@pytest.mark.plan
def test_a_file_that_a_domain_or_a_denoiser_names_is_an_input_of_the_jobs_that_read_it(tmp_path):
    copy = copy_of_project(tmp_path)
    cells = add_fluorescence(copy)
    named_by(
        copy, "fluorescence/data.py", 'channels: Literal[1] = Field(description="C, channels of a frame: brightness")'
    )
    named_by(
        copy,
        "fluorescence/prepare.py",
        "photons: Positive",
        ("photons=data.photons", "photons=data.photons, calibration=data.calibration"),
    )
    (copy.folder / "workflow/column.py").write_text(module(DENOISERS, "column.py"))
    named_by(copy, "column.py", "width: Count")
    for name in ("dark", "taps"):
        (copy.folder / f"observed/{name}.csv").write_text("1\n")
    named = copy.overlay(
        "named",
        "data: {cells: {calibration: observed/dark.csv}}\n"
        "priors: {cells: {architecture: column, architectures: {column: {width: 8, calibration: observed/taps.csv}}}}",
    )
    target = "results/miniature/cells4/metrics/step_joint.csv"
    run = copy.snakemake("-n", "-F", target, overlays=(MINIATURE, cells, named))
    assert run.status == 0, run.stdout + run.stderr
    jobs = inputs_of_jobs(run.stdout)
    read_by = {
        name: {job for job, files in jobs.items() if f"observed/{name}.csv" in files} for name in ("dark", "taps")
    }
    assert read_by == {
        "dark": {"cells/prepare/000", "cells/prepare/001"},
        "taps": {"cells/train/image", "cells/train/joint"},
    }
