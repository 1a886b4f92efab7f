"""Data next to what samples say of them, and the residuals that are left."""

import argparse

import numpy as np
import pytest
import torch
from eht_observations import crescent, forward_model
from step.cli.stages import open_stage
from step.config.keys import DEMO_CONFIG
from step.config.study import load_config
from step.errors import InputError
from step.figures.baselines import cover
from step.figures.fit import LOOPS_SHOWN, plot_fit
from step.io.reconstructions import Reconstruction, write_measurement, write_reconstructions
from step.io.tables import read_table
from step.posterior.data_fit import fit_by_datum, rms_by_station

FRAMES, PIXELS, CADENCE_S = 6, 24, 102.0
CODES = ["AA", "AP", "AZ", "JC", "LM", "PV", "SM", "SP"]
STAGE = open_stage("plot fit")


@pytest.fixture(scope="module")
def model():
    return forward_model(FRAMES, PIXELS, errors=("thermal", "phases"))


@pytest.fixture(scope="module")
def truth():
    return crescent(FRAMES, PIXELS)


@pytest.fixture(scope="module")
def arrays(model, truth):
    return {name: array[0].numpy() for name, array in model.measure(truth, seed=0).items()}


@pytest.fixture(scope="module")
def found(model, truth, arrays):
    return fit_by_datum(model, arrays, np.stack([truth[0].numpy(), crescent(FRAMES, PIXELS, seed=5)[0].numpy()]))


@pytest.mark.slow
def test_the_squares_of_the_residuals_are_the_chi_squares(model, truth, arrays, found):
    measured = {name: torch.from_numpy(array)[None] for name, array in arrays.items()}
    expected = model.chi_squares(truth, measured)
    amplitudes = found["log_closure_amplitude"].residual[0]
    assert np.square(amplitudes).mean() == pytest.approx(expected["log_closure_amplitude"].item(), rel=1e-3)
    phases = found["closure_phase"]
    chords = 2 * (1 - np.cos(phases.residual[0] * phases.sigma)) / phases.sigma**2
    assert chords.mean() == pytest.approx(expected["closure_phase"].item(), rel=1e-3)
    assert abs(phases.residual * phases.sigma).max() <= np.pi


@pytest.mark.slow
def test_a_phase_errs_the_shorter_way_round(model, truth, arrays, found):
    turned = {**arrays, "closure_phase": np.angle(np.exp(1j * (arrays["closure_phase"] + 3.0)))}
    phases = fit_by_datum(model, turned, truth.numpy())["closure_phase"]
    error, before = (each.residual[0] * each.sigma for each in (phases, found["closure_phase"]))
    assert abs(error).max() <= np.pi < abs(phases.predicted[0] - phases.value).max()
    np.testing.assert_allclose(np.exp(1j * error), np.exp(1j * (before - 3.0)), atol=1e-6)


def test_the_truth_has_the_amplitudes_that_were_measured_but_for_noise(found):
    amplitude = found["amplitude"]
    assert abs(amplitude.residual[0]).mean() < 1.5 < abs(amplitude.residual[1]).mean()
    bright = amplitude.value > 30 * amplitude.sigma
    np.testing.assert_allclose(amplitude.predicted[0][bright], amplitude.value[bright], rtol=0.2)


def test_a_datum_knows_its_stations_its_time_and_its_longest_baseline(arrays, found):
    phases = found["closure_phase"]
    assert {len(stations) for stations in phases.stations} == {3}
    frame, number = np.argwhere(arrays["closure_phase_sigma"] > 0)[7]
    sides = arrays["triangle"][frame, number][:3] % arrays["uv"].shape[1]
    assert set(phases.stations[7]) == set(arrays["stations"][frame, sides].ravel().tolist())
    assert phases.baseline[7] == pytest.approx(np.hypot(*arrays["uv"][frame, sides].T).max())
    assert phases.time_h[7] == arrays["time_h"][frame, sides[0]]
    assert {len(stations) for stations in found["log_closure_amplitude"].stations} == {4}


def test_a_station_has_the_residuals_of_what_it_is_part_of(found):
    phases = found["closure_phase"]
    rms = rms_by_station([phases], 9)
    with_first = np.array([0 in stations for stations in phases.stations])
    assert rms[0] == pytest.approx(np.sqrt(np.square(phases.residual[:, with_first]).mean()))
    assert np.isnan(rms[8])


@pytest.mark.slow
def test_the_picture_has_the_loops_that_say_most_and_all_residuals(found, arrays):
    figure = plot_fit(found, cover(arrays, CADENCE_S, "night.h5"), CODES)
    axes = np.array(figure.axes[:12]).reshape(4, 3)
    titles = [panel.get_title() for panel in axes[1]]
    assert len(set(titles)) == LOOPS_SHOWN
    assert all(len(title.split("-")) == 3 and set(title.split("-")) <= set(CODES) for title in titles)
    quadrangles = [panel.get_title() for panel in axes[2]]
    assert len(set(quadrangles)) == LOOPS_SHOWN
    assert all(title.count("-") == 4 and title.count("/") == 1 for title in quadrangles)
    # Each is one closure, once a frame.
    assert all(len(np.unique(panel.lines[-1].get_xdata())) == FRAMES for panel in axes[1:3].ravel())
    say_most = found["closure_phase"]
    squares = [0.0] * LOOPS_SHOWN
    for loop, square in zip(say_most.stations, np.square(say_most.value / say_most.sigma), strict=True):
        named = "-".join(CODES[station] for station in loop)
        if named in titles:
            squares[titles.index(named)] += square
    assert squares == sorted(squares, reverse=True)
    assert min(squares) > np.square(say_most.value / say_most.sigma).sum() / len(set(say_most.loops))
    assert axes[0, 1].get_yscale() == "log"
    shown = [points for points in axes[3, 1].lines if points.get_marker() == "."]
    assert [len(points.get_ydata()) for points in shown] == [
        len(found[kind].value) for kind in ("closure_phase", "log_closure_amplitude")
    ]
    assert "of 2 samples" in axes[3, 2].texts[0].get_text()


def run(folder, samples: np.ndarray) -> None:
    changes = folder / "changes.yaml"
    changes.write_text(f"data: {{blackhole: {{frames: {FRAMES}, resolution: {PIXELS}, cadence_s: {CADENCE_S}}}}}\n")
    config = load_config(DEMO_CONFIG, changes)
    write_reconstructions(folder / "samples.h5", [Reconstruction("night", samples, trace={})], {})
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    files = {"measurement": "night.h5", "reconstructions": "samples.h5", "data": "fit.csv", "output": "fit.png"}
    arguments = [word for name, file in files.items() for word in (f"--{name}", str(folder / file))]
    STAGE.run(parser.parse_args(arguments), STAGE.module.select(config, "blackhole"))


@pytest.mark.slow
def test_the_stage_writes_the_picture_and_every_datum(arrays, truth, tmp_path):
    write_measurement(tmp_path / "night.h5", arrays, {"stations": " ".join(CODES)})
    run(tmp_path, truth.numpy())
    rows = read_table(tmp_path / "fit.csv")
    assert (tmp_path / "fit.png").stat().st_size > 20_000
    counts = [(arrays[name] > 0).sum() for name in ("sigma", "closure_phase_sigma", "log_closure_amplitude_sigma")]
    assert len(rows) == sum(counts)
    assert {row["kind"] for row in rows} == {"amplitude", "closure_phase", "log_closure_amplitude"}
    assert {code for row in rows for code in row["stations"].split("-")} <= set(CODES)


@pytest.mark.slow
def test_a_night_without_closure_amplitudes_is_plotted_too(arrays, truth, tmp_path):
    none = {**arrays, "log_closure_amplitude_sigma": np.zeros_like(arrays["log_closure_amplitude_sigma"])}
    write_measurement(tmp_path / "night.h5", none, {"stations": " ".join(CODES)})
    run(tmp_path, truth.numpy())
    assert {row["kind"] for row in read_table(tmp_path / "fit.csv")} == {"amplitude", "closure_phase"}


@pytest.mark.slow
def test_tasks_and_samples_of_something_else_are_refused(arrays, truth, tmp_path):
    write_measurement(tmp_path / "night.h5", arrays, {})
    with pytest.raises(InputError, match=r"night\.h5 holds .* the task measures .*; measure it again"):
        run(tmp_path, truth[:, :3].numpy())
    config = load_config()
    mri = next(name for name, task in config.tasks.items() if task.domain == "mri")
    with pytest.raises(InputError, match="only vlbi has closures"):
        STAGE.module.select(config, mri)
