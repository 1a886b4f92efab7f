"""An array of 23 stations against eht-imaging: counts, visibilities, averages, closures, their errors, chi-squares."""

import math

import numpy as np
import pytest
import torch
from eht_observations import N_PIXELS, PROJECT, crescent, eht_image, forward_model, schedule, table_of
from step.config.keys import DEMO_CONFIG
from step.config.study import BASE_CONFIG, load_config
from step.observations import eht
from step.physics.array import by_sensitivity, read_array
from step.physics.closures import to_measurement
from step.physics.eht_imaging import eht_imaging_module
from step.physics.vlbi import brightness

ARRAY = PROJECT / "resources/ngeht.csv"
FRAMES = 2


@pytest.fixture(scope="module")
def model():
    return forward_model(FRAMES, array=ARRAY)


@pytest.fixture(scope="module")
def video():
    return crescent(FRAMES)


@pytest.fixture(scope="module")
def observed(model, video):
    """eht-imaging's own simulated observation of both frames, with thermal noise."""
    observation, rows = schedule(model, FRAMES), []
    for frame in range(FRAMES):
        of_frame = observation.copy()
        time = model.settings.start_utc_h + frame * model.settings.cadence_s / 3600
        of_frame.data = observation.data[np.isclose(observation.data["time"], time)]
        image = eht_image(model, brightness(video)[0, frame].double().numpy())
        rows.append(image.observe_same(of_frame, ttype="direct", add_th_noise=True, seed=1, verbose=False).data)
    observation.data = np.concatenate(rows)
    return observation


@pytest.fixture(scope="module")
def arrays(observed, model):
    table = table_of(observed, model.settings.start_utc_h, model.settings.cadence_s)
    return to_measurement(table, FRAMES, range(23))  # numbered as eht-imaging orders them


@pytest.mark.slow
def test_the_recipe_has_23_stations_on_the_earth_s_surface_and_goes_on_both_studies():
    stations = read_array(ARRAY)
    assert len(stations) == 23
    # Ours and eht-imaging's order, which closure sets are made in.
    ours = [stations[number].station for number in by_sensitivity(stations)]
    assert ours == list(schedule(forward_model(FRAMES, array=ARRAY), FRAMES).tarr["site"])
    radius = [math.hypot(s.x_m, s.y_m, s.z_m) for s in stations]
    assert 6.35e6 < min(radius) < max(radius) < 6.39e6
    for files in ([], [DEMO_CONFIG]):
        config = load_config(*files, BASE_CONFIG.with_name("ngeht.yaml"))
        measurement = config.tasks["ngeht"].measurement
        assert measurement.array.name == "ngeht.csv"
        assert measurement.source == config.tasks["blackhole"].measurement.source
        assert config.targets.tour.tasks == ("ngeht",)


@pytest.mark.slow
def test_visibilities_are_as_many_as_eht_imaging_has_and_closures_as_stations_make(observed, arrays):
    assert int((arrays["sigma"] > 0).sum()) == len(observed.data)
    for frame in range(FRAMES):
        n = len(np.unique(arrays["stations"][frame][arrays["sigma"][frame] > 0]))
        assert n >= 10
        assert (arrays["sigma"][frame] > 0).sum() == n * (n - 1) // 2
        assert (arrays["closure_phase_sigma"][frame] > 0).sum() == (n - 1) * (n - 2) // 2
        assert (arrays["log_closure_amplitude_sigma"][frame] > 0).sum() == n * (n - 3) // 2


@pytest.mark.slow
def test_closures_and_their_errors_are_eht_imagings(observed, arrays):
    phases = observed.c_phases(mode="all", count="min", ang_unit="rad")
    amplitudes = observed.c_amplitudes(mode="all", count="min", ctype="logcamp", debias=False)
    for name, column, error, theirs in (
        ("closure_phase", "cphase", "sigmacp", phases),
        ("log_closure_amplitude", "camp", "sigmaca", amplitudes),
    ):
        here = arrays[f"{name}_sigma"] > 0
        assert here.sum() == len(theirs)
        difference = np.sort(arrays[name][here]) - np.sort(theirs[column])
        np.testing.assert_allclose(difference, 0, atol=1e-4)
        np.testing.assert_allclose(np.sort(arrays[f"{name}_sigma"][here]), np.sort(theirs[error]), rtol=1e-4)


@pytest.mark.slow
def test_chi_squares_are_eht_imagings(model, video, observed, arrays):
    other = crescent(FRAMES, seed=4)
    imager = eht_imaging_module("imaging.imager_utils")
    expected = {"closure_phase": 0.0, "log_closure_amplitude": 0.0}
    counts = dict.fromkeys(expected, 0)
    for frame in range(FRAMES):
        of_frame = observed.copy()
        time = model.settings.start_utc_h + frame * model.settings.cadence_s / 3600
        of_frame.data = observed.data[np.isclose(observed.data["time"], time)]
        image = eht_image(model, brightness(other)[0, frame].double().numpy())
        for name, kind in (("closure_phase", "cphase"), ("log_closure_amplitude", "logcamp")):
            mask = np.ones(N_PIXELS**2, bool)
            given = imager.chisqdata(of_frame, image, mask, kind, ttype="direct", debias=False)
            n = len(given[0])
            counts[name] += n
            expected[name] += n * imager.chisq(image.imvec, given[2], given[0], given[1], kind, ttype="direct")
    flux = torch.ones(1, FRAMES)
    measured = {name: torch.from_numpy(array)[None] for name, array in arrays.items()}
    found = model.chi_squares(other, measured | {"flux": flux, "flux_sigma": flux})
    for name, total in expected.items():
        assert found[name].item() == pytest.approx(total / counts[name], rel=1e-4)


@pytest.mark.slow
def test_a_coherent_average_of_a_file_is_eht_imagings(model, observed, tmp_path):
    whole = observed.copy()
    whole.source, whole.mjd = "SGRA", model.settings.mjd
    whole.save_uvfits(str(tmp_path / "night.uvfits"))
    config = load_config(DEMO_CONFIG, BASE_CONFIG.with_name("sgra_2017.yaml"))
    changes = {"file": tmp_path / "night.uvfits", "average_s": 600.0, "systematic": 0.0, "refractive_noise_jy": 0.0}
    changes |= {"cadence_s": 600.0, "start_utc_h": model.settings.start_utc_h, "light_curve": "none", "array": ARRAY}
    chosen = eht.settings_of(config, "sgra_2017").model_copy(update=changes)
    arrays, attributes = eht.read(chosen, None)
    codes = str(attributes["stations"]).split()
    averaged = whole.avg_coherent(600.0)
    here = arrays["sigma"] > 0
    assert here.sum() == len(averaged.data) > 40
    theirs = {frozenset((row["t1"], row["t2"])): row for row in averaged.data}
    for frame, place in np.argwhere(here):
        row = theirs[frozenset(codes[number] for number in arrays["stations"][frame, place])]
        assert abs(arrays["visibility"][frame, place]) == pytest.approx(abs(row["vis"]), rel=1e-4)
        assert arrays["sigma"][frame, place] == pytest.approx(row["sigma"], rel=1e-4)
