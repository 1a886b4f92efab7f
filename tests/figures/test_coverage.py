"""The picture of an interferometer's coverage."""

import argparse
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from step.cli.stages import open_stage
from step.config.study import load_config
from step.errors import InputError
from step.figures.baselines import cover
from step.figures.coverage import plot_coverage, write_coverage_data
from step.io.reconstructions import write_measurement
from step.io.tables import read_table

STAGE = open_stage("plot coverage")

CADENCE_S = 90.0
START_H = 12.5


@pytest.fixture
def measurement() -> dict[str, np.ndarray]:
    """Return 5 frames with 3, 2, 0, 0 and 3 visibilities of the stations 0, 1 and 3, the last one a minute late."""
    sigma = np.array([[0.1, 0.1, 0.1], [0.1, 0, 0.1], [0, 0, 0], [0, 0, 0], [0.1, 0.1, 0.1]])
    time_h = np.where(sigma > 0, START_H + np.arange(5)[:, None] * CADENCE_S / 3600, 0)
    time_h[4, 2] += 60 / 3600
    uv = np.random.default_rng(0).uniform(-8e9, 8e9, (5, 3, 2))
    return {
        "uv": uv,
        "sigma": sigma,
        "time_h": time_h,
        "stations": np.tile([[0, 1], [0, 3], [1, 3]], (5, 1, 1)),
        "closure_phase_sigma": np.array([[0.2], [0], [0], [0], [0.2]]),
        "log_closure_amplitude_sigma": np.zeros((5, 0)),
    }


def test_the_rows_are_the_places_with_data(measurement):
    coverage = cover(measurement, CADENCE_S, "video000.h5")
    assert coverage.frame.tolist() == [0, 0, 0, 1, 1, 4, 4, 4]
    assert np.array_equal(coverage.uv, measurement["uv"][measurement["sigma"] > 0])
    assert coverage.stations.tolist()[3:5] == [[0, 1], [1, 3]]
    assert coverage.counts["visibilities"].tolist() == [3, 2, 0, 0, 3]
    assert coverage.counts["closure phases"].tolist() == [1, 0, 0, 0, 1]
    assert coverage.counts["log closure amplitudes"].tolist() == [0] * 5


def test_frames_begin_so_that_each_visibility_lies_in_its_own(measurement):
    measurement["time_h"] += 10 / 3600
    coverage = cover(measurement, CADENCE_S, "video000.h5")
    assert np.allclose(np.diff(coverage.edges_h) * 3600, CADENCE_S)
    begin, end = coverage.edges_h[coverage.frame], coverage.edges_h[coverage.frame + 1]
    assert (begin <= coverage.time_h + 1e-9).all()
    assert (coverage.time_h < end).all()


def test_both_a_baseline_and_its_conjugate_are_plotted_with_u_to_the_left(measurement):
    coverage = cover(measurement, CADENCE_S, "video000.h5")
    axes = plot_coverage(coverage).axes[0]
    conjugate, measured = (points.get_offsets() for points in axes.collections)
    assert np.allclose(measured, coverage.uv / 1e9)
    assert np.allclose(conjugate, -coverage.uv / 1e9)
    left, right = axes.get_xlim()
    assert left == -right > np.abs(coverage.uv).max() / 1e9
    assert axes.get_aspect() == 1
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("u [Gλ]", "v [Gλ]")


def test_conjugates_are_lighter_and_colour_is_time(measurement):
    coverage = cover(measurement, CADENCE_S, "video000.h5")
    conjugate, measured = plot_coverage(coverage).axes[0].collections
    assert np.array_equal(measured.get_array(), coverage.time_h)
    assert measured.get_clim() == conjugate.get_clim() == (coverage.edges_h[0], coverage.edges_h[-1])
    dark, light = (points.to_rgba(coverage.time_h)[:, :3] for points in (measured, conjugate))
    assert (light > dark).all()


def test_the_counts_are_steps_with_gaps_where_there_are_no_data(measurement):
    coverage = cover(measurement, CADENCE_S, "video000.h5")
    axes = plot_coverage(coverage).axes[1]
    visibilities, phases, amplitudes = (steps.get_data() for steps in axes.patches[:3])
    assert np.array_equal(visibilities.values, [3, 2, np.nan, np.nan, 3], equal_nan=True)
    assert np.array_equal(phases.values, [1, 0, np.nan, np.nan, 1], equal_nan=True)
    assert np.array_equal(amplitudes.values, [0, 0, np.nan, np.nan, 0], equal_nan=True)
    assert np.allclose(visibilities.edges, START_H + np.arange(6) * CADENCE_S / 3600)
    [gap] = axes.patches[3:]
    assert gap.get_x() == pytest.approx(visibilities.edges[2])
    assert gap.get_x() + gap.get_width() == pytest.approx(visibilities.edges[4])


def test_the_data_are_one_row_per_visibility_with_the_stations_codes(measurement, tmp_path):
    coverage = cover(measurement, CADENCE_S, "video000.h5")
    write_coverage_data(coverage, ["AA", "AP", "SM", "JC"], tmp_path / "coverage.csv")
    rows = read_table(tmp_path / "coverage.csv")
    assert list(rows[0]) == ["frame", "time_h", "station_a", "station_b", "u", "v"]
    assert [(row["station_a"], row["station_b"]) for row in rows[:3]] == [("AA", "AP"), ("AA", "JC"), ("AP", "JC")]
    assert [int(row["frame"]) for row in rows] == coverage.frame.tolist()
    assert [[float(row["u"]), float(row["v"])] for row in rows] == coverage.uv.tolist()
    assert [float(row["time_h"]) for row in rows] == coverage.time_h.tolist()


def test_what_has_no_baselines_is_refused(measurement):
    with pytest.raises(InputError, match=r"heart\.h5 has no array uv; give a measurement of model vlbi"):
        cover({"kspace": np.zeros((2, 4, 4)), "mask": np.ones((2, 4), bool)}, CADENCE_S, "heart.h5")
    with pytest.raises(InputError, match=r"night\.h5 has no visibility in any frame"):
        cover(measurement | {"sigma": np.zeros((5, 3))}, CADENCE_S, "night.h5")


@pytest.mark.slow
def test_the_stage_writes_the_picture_and_the_baselines(measurement, tmp_path):
    config = load_config()
    write_measurement(tmp_path / "video000.h5", measurement, {})
    pictures = [tmp_path / "coverage.png", tmp_path / "coverage.pdf"]
    _run(config, tmp_path, pictures)
    assert imread(pictures[0]).shape == (620, 1440, 4)
    assert pictures[1].read_bytes().startswith(b"%PDF")
    assert [row["station_b"] for row in read_table(tmp_path / "coverage.csv")[:3]] == ["AP", "JC", "JC"]


def test_the_stage_refuses_stations_that_the_array_lacks_and_tasks_without_baselines(measurement, tmp_path):
    config = load_config()
    measurement["stations"][0, 0, 1] = 8
    write_measurement(tmp_path / "video000.h5", measurement, {})
    with pytest.raises(InputError, match=r"a station number 8, counted from 0, but .* has 8 stations"):
        _run(config, tmp_path, [tmp_path / "coverage.png"])
    assert not (tmp_path / "coverage.png").exists()
    mri = next(name for name, task in config.tasks.items() if task.domain == "mri")
    with pytest.raises(InputError, match="only vlbi has baselines"):
        STAGE.module.select(config, mri)


def _run(config, folder: Path, pictures: list[Path]) -> None:
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    files = ["--measurement", str(folder / "video000.h5"), "--data", str(folder / "coverage.csv")]
    arguments = parser.parse_args([*files, "--output", *map(str, pictures)])
    STAGE.run(arguments, STAGE.module.select(config, "blackhole"))
