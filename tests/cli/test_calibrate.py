"""The stages `calibrate` and `summarise` by their own arguments: from files to tables."""

import argparse
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from one_coil import PAPERS_LINES
from step.cli import calibrate, recalibrate, summarise
from step.config.calibration import Judgement
from step.config.settings import dump_settings, parse_settings
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError
from step.io.reconstructions import (
    Reconstruction,
    read_attributes,
    read_quantiles,
    read_summary,
    write_measurement,
    write_reconstructions,
)
from step.io.tables import read_table, write_table
from step.io.truths import write_truth
from step.physics.forward_models import build_forward_model
from step.posterior.recalibration import COLUMNS

SHAPE = (4, 2, 16, 16)  # time, channel, y, x
N_VIDEOS, N_SAMPLES = 6, 5
MEASUREMENT = MeasurementOfDomain(
    model="mri", acceleration=2, acs_lines=4, noise_level=0.1, geometry={}, **PAPERS_LINES
)
SETTINGS = calibrate.Settings(
    seed=0,
    measurement=MEASUREMENT,
    display="magnitude",
    judgement=Judgement(
        bright_fraction=0.1, interval=0.95, significance=0.05, resamples=500, reference_points=5, spread_bins=3
    ),
)


def write_files(folder: Path, width: float) -> None:
    """Write six measurements; of each one sample in `first.h5`, the others in `more.h5`."""
    generator = np.random.default_rng(0)
    forward_model = build_forward_model(MEASUREMENT, SHAPE)
    samples = {}
    for number in range(N_VIDEOS):
        name = f"video{number:03d}"
        centre = 1 + 0.1 * generator.normal(size=SHAPE)
        truth = (centre + 0.1 * generator.normal(size=SHAPE)).astype(np.float32)
        measured = forward_model.measure(torch.from_numpy(truth)[None], torch.Generator().manual_seed(number))
        write_measurement(folder / f"{name}.h5", {key: array[0].numpy() for key, array in measured.items()}, {})
        write_truth(folder / f"truths/{name}.h5", truth, {})
        samples[name] = centre + width * 0.1 * generator.normal(size=(N_SAMPLES, *SHAPE))
    for file, part in (("first.h5", slice(0, 1)), ("more.h5", slice(1, None))):
        write_reconstructions(
            folder / file, [Reconstruction(name, all_[part], {}) for name, all_ in samples.items()], {}
        )


def run(stage: ModuleType, settings: object, *words: object) -> None:
    parser = argparse.ArgumentParser()
    stage.add_arguments(parser)
    stage.run(parser.parse_args([str(word) for word in words]), parse_settings(dump_settings(settings), stage.Settings))


def run_calibrate(folder: Path, *files: str, factors: Path | None = None) -> list[dict[str, str]]:
    inputs = ["--measurements", *sorted(folder.glob("video*.h5"))]
    inputs += ["--truths", *sorted((folder / "truths").glob("video*.h5"))]
    inputs += ["--reconstructions", *(folder / file for file in files)]
    inputs += ["--recalibration", factors] if factors else []
    run(calibrate, SETTINGS, *inputs, "--output", folder / "c.csv", "--ranks", folder / "ranks.csv")
    return read_table(folder / "c.csv")


# The samples know nothing of the measurement, so all fit it worse than the truth: the ranks of misfits say so.
@pytest.mark.slow
@pytest.mark.parametrize(("width", "verdict"), [(1.0, "not calibrated: uneven ranks"), (0.5, "over-confident")])
def test_samples_in_several_files_are_judged_together(width, verdict, tmp_path):
    write_files(tmp_path, width)
    rows = run_calibrate(tmp_path, "first.h5", "more.h5")
    assert rows[0]["verdict"] == verdict
    assert {(row["videos"], row["samples"]) for row in rows} == {("6", "5")}
    assert float(rows[0]["value"]) == pytest.approx(np.sqrt((1 + width**2 / 5) / (width**2 * 6 / 5)), rel=0.05)
    ranks = read_table(tmp_path / "ranks.csv")
    for quantity in ("pixel", "frame_brightness", "data_misfit", "reference_distance"):
        shares = [float(row["share"]) for row in ranks if row["quantity"] == quantity]
        assert len(shares) == 6
        assert sum(shares) == pytest.approx(1)


@pytest.mark.slow
def test_the_factor_that_they_call_for_makes_samples_spread_as_far_as_they_err(tmp_path):
    write_files(tmp_path, 0.5)
    plain = run_calibrate(tmp_path, "first.h5", "more.h5")
    rows = [{"video": f"validation{n:03d}", "quantity": "area", "unit": "mm2", "samples": 5} for n in range(3)]
    rows = [row | {"mean": 0, "truth": 2, "deviation": 1, "effective_samples": 5} for row in rows]
    write_table(tmp_path / "quantities.csv", rows)
    tables = ["--calibration", tmp_path / "c.csv", "--quantities", tmp_path / "quantities.csv"]
    run(recalibrate, recalibrate.Settings(interval=0.9), *tables, "--output", tmp_path / "factors.csv")
    pixel, area = read_table(tmp_path / "factors.csv")
    assert (pixel["quantity"], pixel["factor"]) == ("pixel", plain[0]["value"])
    assert float(area["factor"]) == pytest.approx(2 / np.sqrt(1 + 1 / 5))
    recalibrated = run_calibrate(tmp_path, "first.h5", "more.h5", factors=tmp_path / "factors.csv")
    assert float(plain[0]["value"]) > 1.5
    assert float(recalibrated[0]["value"]) == pytest.approx(1, abs=0.05)
    assert recalibrated[0]["verdict"] != "over-confident"


def test_a_recalibrated_summary_has_other_spreads_and_says_so(tmp_path):
    write_files(tmp_path, 1.0)
    write_table(tmp_path / "factors.csv", [dict.fromkeys(COLUMNS, 1) | {"quantity": "pixel", "factor": 2.0}], COLUMNS)
    settings = summarise.Settings(measurement=MEASUREMENT, display="magnitude", quantiles=(0.1, 0.9))
    files = ["--measurement", tmp_path / "video002.h5", "--reconstructions", tmp_path / "more.h5"]
    for name, more in (("plain", []), ("wider", ["--recalibration", tmp_path / "factors.csv"])):
        output = ["--output", tmp_path / f"{name}.h5", "--table", tmp_path / f"{name}.csv"]
        run(summarise, settings, *files, *output, *more)
    plain, wider = (read_summary(tmp_path / f"{name}.h5") for name in ("plain", "wider"))
    assert np.allclose(wider["mean"], plain["mean"])
    assert np.allclose(wider["std"], 2 * plain["std"], rtol=1e-5)
    widths = [np.ptp(read_quantiles(tmp_path / f"{name}.h5").videos, axis=0).mean() for name in ("plain", "wider")]
    assert widths[1] > 1.5 * widths[0]
    assert read_table(tmp_path / "plain.csv") == read_table(tmp_path / "wider.csv")
    assert "2 times as far" in str(read_attributes(tmp_path / "wider.h5")["recalibration"])
    assert "recalibration" not in read_attributes(tmp_path / "plain.h5")


@pytest.mark.slow
def test_the_rank_of_the_misfit_is_that_of_the_truth_given_the_measurement(tmp_path):
    # Samples that do not know the data fit them worse than the truth, each of them.
    write_files(tmp_path, 1.0)
    run_calibrate(tmp_path, "first.h5", "more.h5")
    shares = {
        row["rank"]: float(row["share"])
        for row in read_table(tmp_path / "ranks.csv")
        if row["quantity"] == "data_misfit"
    }
    assert shares["0"] == 1


@pytest.mark.slow
def test_what_cannot_be_judged_is_one_line(tmp_path):
    write_files(tmp_path, 1.0)
    with pytest.raises(InputError, match="video000 has 1 sample, which has no spread; sample two or more"):
        run_calibrate(tmp_path, "first.h5")
    write_reconstructions(tmp_path / "one.h5", [Reconstruction("video000", np.zeros((3, *SHAPE)), {})], {})
    with pytest.raises(InputError, match="video001 is not among the videos of the reconstructions; sample it"):
        run_calibrate(tmp_path, "one.h5")
    same = [Reconstruction(f"video{number:03d}", np.ones((3, *SHAPE)), {}) for number in range(N_VIDEOS)]
    write_reconstructions(tmp_path / "same.h5", same, {})
    with pytest.raises(InputError, match="video000: all samples are the same"):
        run_calibrate(tmp_path, "same.h5")
    assert not (tmp_path / "c.csv").exists()
    (tmp_path / "truths/video000.h5").unlink()
    with pytest.raises(InputError, match=r"video000\.h5 has no truth among those of video001, "):
        run_calibrate(tmp_path, "first.h5", "more.h5")


def test_a_summary_of_a_simulated_measurement_has_the_quantiles_of_the_configuration(tmp_path):
    write_files(tmp_path, 1.0)
    settings = summarise.Settings(measurement=MEASUREMENT, display="magnitude", quantiles=(0.1, 0.9))
    files = ["--measurement", tmp_path / "video002.h5", "--reconstructions", tmp_path / "more.h5"]
    run(summarise, settings, *files, "--output", tmp_path / "p.h5", "--table", tmp_path / "chi.csv")
    quantiles = read_quantiles(tmp_path / "p.h5")
    assert quantiles.levels.tolist() == [0.1, 0.9]
    assert quantiles.videos.shape == (2, 4, 16, 16)
    assert quantiles.quantity.startswith("magnitude")
    assert [row["video"] for row in read_table(tmp_path / "chi.csv")][-1] == "mean"
