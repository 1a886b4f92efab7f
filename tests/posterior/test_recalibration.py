"""Recalibration finds the factor that synthetic posteriors call for, and intervals are then right."""

import numpy as np
import pytest
from step.errors import InputError
from step.io.tables import write_table
from step.posterior.intervals import central_interval
from step.posterior.recalibration import (
    COLUMNS,
    PIXEL,
    RecalibrationSettings,
    find_factors,
    read_factors,
    stretch,
    stretch_interval,
)

SETTINGS = RecalibrationSettings(interval=0.9)
PIXELS = [
    {"statistic": "error_over_spread", "value": "1.7", "low": "1.4", "high": "2.1", "interval": "0.9", "videos": "12"}
    | {"samples": "20"}
]
N_SAMPLES = 20


def posteriors(n_videos: int, factor: float, seed: int, is_angle: bool = False, widest: float = 3):
    """Return truths (video,), samples (video, sample): the truth errs `factor` times as far as samples spread."""
    generator = np.random.default_rng(seed)
    scales = generator.uniform(1, widest, n_videos)  # each video has its own
    centres = 179 + generator.standard_normal(n_videos) if is_angle else 50 + 10 * generator.standard_normal(n_videos)
    truths = centres + factor * scales * generator.standard_normal(n_videos)
    samples = centres[:, None] + scales[:, None] * generator.standard_normal((n_videos, N_SAMPLES))
    return truths, samples


def rows_of(truths, samples, name: str = "diameter", unit: str = "uas") -> list[dict[str, str]]:
    rows = []
    for number, (truth, values) in enumerate(zip(truths, samples, strict=True)):
        found = central_interval(values, 0.9, is_angle=unit == "deg")
        row = {"video": f"validation{number:03d}", "quantity": name, "unit": unit, "truth": truth}
        row |= {"mean": found.mean, "deviation": found.deviation}
        row |= {"effective_samples": found.effective_samples, "samples": len(values)}
        rows.append({key: str(value) for key, value in row.items()})
    return rows


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "is_angle"), [("uas", False), ("deg", True)])
@pytest.mark.parametrize("factor", [0.6, 1.0, 2.5])
def test_the_factor_of_posteriors_that_are_too_narrow_or_too_wide_is_found(factor, unit, is_angle):
    truths, samples = posteriors(400, factor, 1, is_angle)
    if is_angle:
        truths = (truths + 180) % 360 - 180
    pixel, diameter = find_factors(PIXELS, rows_of(truths, samples, unit=unit), SETTINGS)
    assert (pixel.quantity, pixel.factor, pixel.videos, pixel.samples) == (PIXEL, 1.7, 12, 20)
    # Of N(0, (f v)^2) truths against the mean of L samples: f^2 v^2 + v^2 / L over v^2 (1 + 1 / L).
    exact = np.sqrt((factor**2 + 1 / N_SAMPLES) / (1 + 1 / N_SAMPLES))
    assert diameter.factor == pytest.approx(exact, rel=0.1)
    assert diameter.low < exact < diameter.high
    assert (diameter.videos, diameter.samples) == (400, N_SAMPLES)


@pytest.mark.slow
def test_intervals_of_other_videos_then_hold_the_truth_as_often_as_they_say():
    _, factor = find_factors(PIXELS, rows_of(*posteriors(200, 2.0, 2)), SETTINGS)
    held = {True: [], False: []}
    for truth, values in zip(*posteriors(2000, 2.0, 3), strict=True):
        plain = central_interval(values, 0.9)
        held[False].append(plain.holds(truth))
        held[True].append(stretch_interval(plain, factor.factor).holds(truth))
    assert np.mean(held[False]) < 0.7
    assert np.mean(held[True]) == pytest.approx(0.9, abs=0.025)


def test_stretched_samples_keep_their_mean_and_have_the_intervals_that_are_stretched():
    _, samples = posteriors(1, 1.0, 4)
    values = stretch(samples[0], 1.8, samples[0].mean())
    assert values.mean() == pytest.approx(samples[0].mean())
    of_stretched, stretched = central_interval(values, 0.9), stretch_interval(central_interval(samples[0], 0.9), 1.8)
    for name in ("mean", "deviation", "low", "high"):
        assert getattr(of_stretched, name) == pytest.approx(getattr(stretched, name))


@pytest.mark.slow
@pytest.mark.parametrize("n_videos", [3, 20])
def test_the_interval_of_a_factor_holds_it_as_often_as_it_says(n_videos):
    exact, held = np.sqrt((2.0**2 + 1 / N_SAMPLES) / (1 + 1 / N_SAMPLES)), []
    for seed in range(300):
        # All videos are as wide: where one is far wider it counts for most, and there are fewer than it seems.
        _, found = find_factors(PIXELS, rows_of(*posteriors(n_videos, 2.0, seed, widest=1)), SETTINGS)
        held.append(found.low < exact < found.high)
    assert np.mean(held) == pytest.approx(0.9, abs=0.06)


def test_quantities_without_spread_or_truth_have_no_factor():
    rows = rows_of(*posteriors(5, 1.0, 6), name="sense")
    assert len(find_factors(PIXELS, [row | {"deviation": ""} for row in rows], SETTINGS)) == 1
    assert len(find_factors(PIXELS, [row | {"deviation": "nan"} for row in rows], SETTINGS)) == 1
    assert len(find_factors(PIXELS, [row | {"truth": ""} for row in rows], SETTINGS)) == 1
    assert len(find_factors(PIXELS, [row | {"deviation": "0.0"} for row in rows], SETTINGS)) == 1
    with pytest.raises(InputError, match="has no error_over_spread; calibrate the validation videos again"):
        find_factors([{"statistic": "crps"}], rows, SETTINGS)


def test_a_table_that_is_none_of_factors_is_refused(tmp_path):
    row = dict.fromkeys(COLUMNS, 1) | {"quantity": PIXEL, "factor": 0.0}
    write_table(tmp_path / "factors.csv", [row], COLUMNS)
    with pytest.raises(InputError, match="the factor of pixel is 0, not above 0; take more validation videos"):
        read_factors(tmp_path / "factors.csv")
    write_table(tmp_path / "other.csv", [{"quantity": PIXEL}])
    with pytest.raises(InputError, match="has no column factor; give the table of the stage recalibrate"):
        read_factors(tmp_path / "other.csv")
    write_table(tmp_path / "factors.csv", [row | {"factor": 1.5}], COLUMNS)
    assert read_factors(tmp_path / "factors.csv") == {PIXEL: 1.5}
