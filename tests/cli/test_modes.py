"""The modes stage by its own command line: what it finds, what it writes, what it refuses."""

import argparse
import csv
import json
import logging
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from step.cli import modes
from step.config.study import load_config
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError
from step.io.modes import read_modes, write_modes
from step.io.reconstructions import Reconstruction, write_measurement, write_reconstructions
from step.io.truths import write_truth
from step.physics.forward_models import build_forward_model, to_tensors

LIGHT_CURVE = '''
"""A telescope without resolution: it measures the sum of each frame, and cannot see which way a ring turns."""

from step.config.sections import Section


class Settings(Section):
    model: str
    sigma: float


class LightCurve:
    layout = {"flux": ()}

    def __init__(self, sigma):
        self.sigma = sigma

    def chi_squares(self, video, measurement):
        away = video.sum(dim=(-3, -2, -1)) - measurement["flux"]
        return {"flux": (away / self.sigma).square().mean(dim=1)}

    def misfit(self, video, measurement):
        chi2 = self.chi_squares(video, measurement)["flux"]
        return chi2.maximum(1 / chi2)


def build(settings, shape, noise_level):
    return LightCurve(settings.sigma)
'''
CLUSTERING = {
    "explained_variance": 0.9,
    "max_components": 5,
    "samples_per_component": 10,
    "max_modes": 3,
    "fewest_samples": 4,
    "starts": 8,
    "regularisation": 1e-3,
    "evidence": 10,
    "gap_level": 0.05,
    "gap_resamples": 99,
    "neighbours": 8,
    "stability_resamples": 5,
    "least_stability": 0.9,
    "share_resamples": 200,
    "interval": 0.95,
    "sense_agreement": 0.8,
}
N_FRAMES, N_PIXELS = 12, 20
CLOCKWISE = np.arange(40) % 10 < 3
"""Three of ten samples turn clockwise."""


def rotating_ring(rate_deg: float, position_angle_deg: float, noise: float, seed: int) -> np.ndarray:
    """Return a video (time, 1, y, x) in [-1, 1] of a ring whose pattern turns at `rate_deg` per frame."""
    middle = (N_PIXELS - 1) / 2
    up, left = middle - np.arange(N_PIXELS)[:, None], middle - np.arange(N_PIXELS)
    azimuth = np.arctan2(left, up)
    profile = np.exp(-((np.hypot(up, left) - 5.5) ** 2) / (2 * 1.3**2))
    turned = azimuth - np.deg2rad(rate_deg) * np.arange(N_FRAMES)[:, None, None]
    brightness = profile * (1 + 0.5 * np.cos(azimuth - np.deg2rad(position_angle_deg)) + 0.3 * np.cos(2 * turned)) / 2
    brightness = brightness + noise * np.random.default_rng(seed).standard_normal(brightness.shape)
    return (2 * np.clip(brightness, 0, 1) - 1)[:, None].astype(np.float32)


def samples_of(rates_deg: np.ndarray) -> np.ndarray:
    generator = np.random.default_rng(0)
    rates = rates_deg + generator.normal(0, 1.5, len(rates_deg))
    angles = generator.normal(170, 15, len(rates))  # across half a turn
    return np.stack([rotating_ring(*pair, 0.03, seed) for seed, pair in enumerate(zip(rates, angles, strict=True))])


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Return the files of a measurement and of its samples, and settings of its modes."""
    (tmp_path / "light_curve.py").write_text(LIGHT_CURVE)
    monkeypatch.syspath_prepend(tmp_path)
    truth = rotating_ring(-20.0, 170.0, 0.0, 0)
    write_measurement(tmp_path / "video003.h5", {"flux": truth.sum(axis=(1, 2, 3))}, {})
    write_truth(tmp_path / "truths/video003.h5", truth, {})
    geometry = {"field_of_view_uas": 100.0, "cadence_s": 360.0}
    settings = modes.Settings(
        seed=0,
        measurement=MeasurementOfDomain(model="light_curve", sigma=5.0, geometry=geometry),
        display="unit_range",
        descriptor="ring",
        modes=CLUSTERING,
    )
    return tmp_path, settings


def write_samples(folder: Path, samples: np.ndarray, name: str = "video003") -> None:
    """Write `samples` in two files, as two jobs do."""
    for number, part in enumerate(np.array_split(samples, 2)):
        attributes = {"task": "curve", "method": '{"noise": "independent"}', "seed": 0}
        write_reconstructions(folder / f"00{number}.h5", [Reconstruction(name, part, {})], attributes)


def run(folder: Path, settings: modes.Settings, known: bool = True) -> list[dict[str, str]]:
    """Return the rows of the table that the stage writes."""
    parser = argparse.ArgumentParser()
    modes.add_arguments(parser)
    words = ["--measurement", "video003.h5", "--output", "modes.h5", "--table", "modes.csv"]
    words += ["--truth", "truths/video003.h5"] if known else []
    words = [str(folder / word) if "." in word else word for word in words]
    words += ["--reconstructions", str(folder / "000.h5"), str(folder / "001.h5")]
    modes.run(parser.parse_args(words), settings)
    with (folder / "modes.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_two_senses_of_rotation_are_two_modes(study, caplog):
    folder, settings = study
    samples = samples_of(np.where(CLOCKWISE, -20, 20))
    write_samples(folder, samples)
    with caplog.at_level(logging.INFO):
        rows = run(folder, settings)
    assert "video003: 2 modes among 40 samples, by the lowest BIC" in caplog.text
    assert [row["rotation_sense"] for row in rows] == ["counter-clockwise", "clockwise"]
    assert [int(row["samples"]) for row in rows] == [28, 12]
    assert [float(row["share"]) for row in rows] == [0.7, 0.3]
    assert [float(row["rotation_rate_deg_per_h"]) for row in rows] == pytest.approx([200, -200], abs=15)
    assert [float(row["radius_uas"]) for row in rows] == pytest.approx([27.5, 27.5], abs=0.5)
    assert [row["contains_truth"] for row in rows] == ["False", "True"]
    for row in rows:
        assert abs(float(row["position_angle_deg"])) == pytest.approx(170, abs=8)
        assert float(row["share_low"]) < float(row["share"]) < float(row["share_high"])
        assert float(row["stability"]) > 0.9

    found = read_modes(folder / "modes.h5")
    assert np.array_equal(found.labels, CLOCKWISE.astype(int))
    assert found.truth_features["rotation_rate"] == pytest.approx(-200, abs=10)
    assert found.units["rotation_rate"] == "deg/h"
    assert found.reduced.shape == (40, found.truth_reduced.shape[0])
    assert found.attributes["video"] == "video003"
    assert found.attributes["task"] == "curve"
    assert found.attributes["descriptor"] == "ring"
    assert found.attributes["criterion"].startswith("2 modes among 40 samples")
    assert found.stability[0] == 1
    # Misfits are those of the samples themselves, by hand.
    with h5py.File(folder / "video003.h5") as file:
        flux = file["measurement/flux"][()]
    chi2 = (((samples.sum(axis=(2, 3, 4)) - flux) / 5.0) ** 2).mean(axis=1)
    np.testing.assert_allclose(found.chi_squares["flux"], chi2, rtol=1e-3)
    np.testing.assert_allclose(found.misfits, np.maximum(chi2, 1 / chi2), rtol=1e-3)
    for mode, row in enumerate(rows):
        of_mode = found.misfits[found.labels == mode]
        assert float(row["data_misfit"]) == pytest.approx(of_mode.mean())
        assert float(row["data_misfit_std"]) == pytest.approx(of_mode.std(ddof=1))
        assert float(row["data_misfit_representative"]) == pytest.approx(found.misfits[int(row["representative"])])
        assert float(row["chi2_flux"]) == pytest.approx(found.chi_squares["flux"][found.labels == mode].mean())


@pytest.mark.slow
def test_one_sense_of_rotation_is_one_mode(study, caplog):
    folder, settings = study
    write_samples(folder, samples_of(np.full(40, 20.0)))
    with caplog.at_level(logging.INFO):
        (row,) = run(folder, settings)
    assert "video003: one mode among 40 samples" in caplog.text
    assert (row["share"], row["stability"], row["contains_truth"]) == ("1.0", "1.0", "True")


@pytest.mark.slow
def test_a_mode_whose_samples_turn_both_ways_has_no_sense(study):
    folder, settings = study
    write_samples(folder, samples_of(np.where(CLOCKWISE, -20, 20))[:6])
    clustering = settings.modes.model_copy(update={"fewest_samples": 6})
    (row,) = run(folder, settings.model_copy(update={"modes": clustering}))
    assert row["rotation_sense"] == "unclear"


@pytest.mark.slow
def test_a_measurement_without_truth_has_modes_too(study):
    folder, settings = study
    write_samples(folder, samples_of(np.where(CLOCKWISE, -20, 20)))
    rows = run(folder, settings, known=False)
    assert [row["contains_truth"] for row in rows] == ["", ""]
    found = read_modes(folder / "modes.h5")
    assert found.truth_features is None
    assert found.truth_reduced is None


@pytest.mark.slow
def test_any_importable_module_can_describe(study):
    folder, settings = study
    (folder / "first_pixel.py").write_text(
        "from step.posterior.descriptors.description import Description, feature_of, with_truth\n"
        "def describe(frames, truth, geometry):\n"
        "    return Description({'first': feature_of(with_truth(frames, truth)[:, 0, 0, 0], truth, 'm/s')}, {})\n"
    )
    write_samples(folder, samples_of(np.full(8, 20.0)))
    (row,) = run(folder, settings.model_copy(update={"descriptor": "first_pixel"}))
    assert 0 <= float(row["first_m_per_s"]) < 0.1
    assert modes.modules(settings) == ["light_curve", "step.posterior.descriptors.ring"]
    with pytest.raises(InputError, match=r"modes\.descriptors is 'nowhere'; there is no module"):
        modes.modules(settings.model_copy(update={"descriptor": "nowhere"}))


@pytest.mark.slow
def test_hearts_have_modes_with_their_own_misfit(tmp_path):
    config = load_config()
    measurement = MeasurementOfDomain(**config.tasks["mri8"].measurement.model_dump(), geometry={})
    shape = (12, 2, 48, 48)
    forward_model = build_forward_model(measurement, shape)
    generator = np.random.default_rng(0)
    y, x = np.indices((48, 48)) - 23.5
    radius = 10 - 3 * np.cos(2 * np.pi * np.arange(12) / 12 - 2)[:, None, None]
    truth = np.zeros(shape, np.float32)
    truth[:, 0] = 1 / (1 + np.exp(np.hypot(y, x) - radius))
    measured = forward_model.measure(torch.from_numpy(truth)[None], torch.Generator().manual_seed(0))
    write_measurement(tmp_path / "video003.h5", {k: v[0].numpy() for k, v in measured.items()}, {})
    write_truth(tmp_path / "truths/video003.h5", truth, {})
    samples = truth + 0.05 * generator.standard_normal((10, *shape)).astype(np.float32)
    write_samples(tmp_path, samples)
    settings = modes.Settings(
        seed=0, measurement=measurement, display="magnitude", descriptor="heart", modes=CLUSTERING
    )
    (row,) = run(tmp_path, settings)
    assert float(row["contraction_phase_deg"]) == pytest.approx(np.rad2deg(2), abs=5)
    arrays = {name: array[0].numpy() for name, array in measured.items()}
    expected = [forward_model.misfit(torch.from_numpy(one)[None], to_tensors(arrays)).item() for one in samples]
    np.testing.assert_allclose(read_modes(tmp_path / "modes.h5").misfits, expected, rtol=1e-5)


def test_what_does_not_fit_is_one_line(study):
    folder, settings = study
    write_samples(folder, samples_of(np.full(8, 20.0)), name="video009")
    with pytest.raises(InputError, match="video003 is not among the reconstructed"):
        run(folder, settings)
    write_samples(folder, samples_of(np.full(8, 20.0))[:, 1:])
    with pytest.raises(InputError, match=r"video003 was reconstructed as \(11, 1, 20, 20\), it is \(12, 1, 20, 20\)"):
        run(folder, settings)
    write_samples(folder, samples_of(np.full(1, 20.0)))
    with pytest.raises(InputError, match="there is 1 posterior sample"):
        run(folder, settings)
    assert not (folder / "modes.h5").exists()


@pytest.mark.slow
def test_modes_come_back_as_they_were_written(study):
    folder, settings = study
    write_samples(folder, samples_of(np.full(8, 20.0)))
    run(folder, settings)
    found = read_modes(folder / "modes.h5")
    write_modes(folder / "again.h5", found)
    again = read_modes(folder / "again.h5")
    assert json.dumps(dict(again.attributes)) == json.dumps(dict(found.attributes))
    assert again.units == found.units
    assert again.truth_features == found.truth_features
    for name in ("labels", "representatives", "shares", "share_low", "share_high", "misfits", "reduced", "scores"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    for name, values in found.features.items():
        np.testing.assert_array_equal(again.features[name], values)


@pytest.mark.slow
def test_files_of_something_else_are_refused(study):
    folder, settings = study
    with pytest.raises(InputError, match="not modes; run the modes stage"):
        read_modes(folder / "video003.h5")
    write_samples(folder, samples_of(np.full(8, 20.0)))
    run(folder, settings)
    with h5py.File(folder / "modes.h5", "a") as file:
        file["labels"][0] = 3
    with pytest.raises(InputError, match="its samples are not those of 1 modes"):
        read_modes(folder / "modes.h5")
    with h5py.File(folder / "modes.h5", "a") as file:
        del file["misfits"]
        file["misfits"] = np.ones(5)
    with pytest.raises(InputError, match="misfits is of 5 samples, there are 8"):
        read_modes(folder / "modes.h5")


def test_the_geometry_of_black_holes_is_what_the_ring_looks_for():
    assert set(load_config().data["blackhole"].geometry) == {"field_of_view_uas", "cadence_s"}
