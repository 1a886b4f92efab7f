"""Measured data by the stages' own command lines: what is refused, and what is made of samples."""

import csv
from pathlib import Path

import numpy as np
import pytest
from step.__main__ import main
from step.cli import read_observation, summarise
from step.config.settings import dump_settings, parse_settings
from step.config.study import Config, load_config
from step.errors import InputError
from step.io.reconstructions import Reconstruction, read_summary, write_measurement, write_reconstructions

ENTRY = """
observations:
  scan:
    task: {task}
    method: {method}
    samples: 2
    samples_per_job: 2
    data: {data}
"""
KSPACE = (
    "{format: cmrxrecon, kspace: k.mat, mask: m.mat, slice: 0, first_frame: 0, outside: {scale: estimate}, "
    "pixel_mm: null, frame_s: null}"
)
VISIBILITIES = (
    "{format: eht, file: v.csv, right_ascension_h: null, declination_deg: null, start_utc_h: null, average_s: 60, "
    "systematic: 0, source: null, polarisation: I, flag_stations: [], station_systematic: {}, "
    "refractive_noise_jy: 0, uv_min: 0, compact_flux_jy: null, light_curve: none}"
)


@pytest.fixture
def study(tmp_path):
    def make(task: str = "mri8", method: str = "bis", data: str = KSPACE) -> Config:
        file = tmp_path / "mine.yaml"
        file.write_text(ENTRY.format(task=task, method=method, data=data))
        return load_config(file)

    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"task": "mri9"}, r"observations\.scan\.task is 'mri9'; the study has"),
        ({"method": "step"}, r"observations\.scan\.method is 'step'; the study has"),
        ({"data": "{format: eht}"}, r"observations\.scan\.data.*file: missing"),
        ({"data": KSPACE.replace("slice: 0", "slice: -1")}, r"observations\.scan\.data.*slice"),
    ],
)
def test_an_entry_that_is_wrong_is_one_line(study, changes, says):
    with pytest.raises(InputError, match=says) as raised:
        study(**changes)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data": "{format: nowhere}"}, r"data\.format is 'nowhere'; there is no module step\.observations\.nowhere"),
        ({"task": "blackhole"}, "domain"),
        ({"data": VISIBILITIES}, "task mri8 of model mri"),
    ],
    ids=["no such format", "k-space of a black hole", "visibilities of a heart"],
)
def test_data_that_do_not_go_with_their_task_are_one_line(study, changes, says):
    with pytest.raises(InputError, match=says) as raised:
        read_observation.select(study(**changes), "scan")
    assert "\n" not in str(raised.value)


def test_settings_survive_the_way_through_the_command_line(study):
    chosen = read_observation.select(study(), "scan")
    assert parse_settings(dump_settings(chosen), read_observation.Settings) == chosen
    assert read_observation.files(chosen) == [Path("k.mat"), Path("m.mat")]


@pytest.mark.slow
def test_the_summary_is_mean_and_deviation_and_the_chi_squares_are_each_samples_own(study, tmp_path):
    generator = np.random.default_rng(0)
    samples = generator.standard_normal((3, 12, 2, 192, 192)).astype(np.float32)
    mask = np.zeros((12, 192), bool)
    mask[:, 96] = True
    arrays = {"kspace": np.zeros((12, 192, 192), np.complex64), "mask": mask}
    arrays |= {"outside_scale": np.zeros((12, 192), np.float32), "outside_fitted": np.zeros(12, bool)}
    write_measurement(tmp_path / "scan.h5", arrays, {})
    write_reconstructions(tmp_path / "samples.h5", [Reconstruction("scan", samples, {})], {})
    files = ["--measurement", tmp_path / "scan.h5", "--reconstructions", tmp_path / "samples.h5"]
    outputs = ["--output", tmp_path / "posterior.h5", "--table", tmp_path / "chi_squares.csv"]
    settings = dump_settings(summarise.select(study(), "mri8"))
    assert main([str(word) for word in ["summarise", "--settings", settings, *files, *outputs]]) == 0
    summary = read_summary(tmp_path / "posterior.h5")
    np.testing.assert_allclose(summary["mean"], samples.mean(0), atol=1e-6)
    np.testing.assert_allclose(summary["std"], samples.std(0), atol=1e-6)
    with (tmp_path / "chi_squares.csv").open() as file:
        rows = {row["video"]: float(row["kspace"]) for row in csv.DictReader(file)}
    # By hand: the measured line is that of the zero frequency along y, of images with variance 1; data are zero.
    lines = samples[:, :, 0].sum(-2) + 1j * samples[:, :, 1].sum(-2)
    expected = (np.abs(lines) ** 2).mean((1, 2)) / 192 / (2 * 0.01**2)
    np.testing.assert_allclose([rows[f"sample{n:03d}"] for n in range(3)], expected, rtol=1e-4)
    assert rows["mean"] < min(expected)


@pytest.mark.slow
def test_the_table_says_how_much_energy_each_sample_leaves_to_what_is_outside_the_frame(study, tmp_path):
    mask = np.zeros((12, 204), bool)
    mask[:, 102] = True
    arrays = {"kspace": np.zeros((12, 204, 192), np.complex64), "mask": mask}
    arrays["kspace"][:, 102] = 1.0
    arrays |= {"outside_scale": np.full((12, 192), 0.3, np.float32), "outside_fitted": np.zeros(12, bool)}
    write_measurement(tmp_path / "scan.h5", arrays, {})
    samples = np.zeros((2, 12, 2, 192, 192), np.float32)
    write_reconstructions(tmp_path / "samples.h5", [Reconstruction("scan", samples, {})], {})
    files = ["--measurement", tmp_path / "scan.h5", "--reconstructions", tmp_path / "samples.h5"]
    outputs = ["--output", tmp_path / "posterior.h5", "--table", tmp_path / "chi_squares.csv"]
    settings = dump_settings(summarise.select(study(), "mri8"))
    assert main([str(word) for word in ["summarise", "--settings", settings, *files, *outputs]]) == 0
    with (tmp_path / "chi_squares.csv").open() as file:
        shares = [float(row["outside_energy"]) for row in csv.DictReader(file)]
    # All that an empty video does not explain; the noise's part is less than a hundredth.
    assert min(shares) > 0.97
