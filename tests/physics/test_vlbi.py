"""The black hole measurement against eht-imaging, and against what closures are for."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from eht_observations import N_PIXELS, PROJECT, crescent, eht_image, forward_model, schedule, table_of
from step.contracts import PrecomputingModel
from step.errors import InputError
from step.physics.array import by_sensitivity, read_array
from step.physics.closures import closure_phase, log_closure_amplitude, to_measurement
from step.physics.visibilities import Visibilities, dirty_image, transform, waves_at
from step.physics.vlbi import ClosureImaging, brightness

FRAMES = (0, 21, 42, 63)


@pytest.fixture(scope="module")
def model():
    return forward_model()


@pytest.fixture(scope="module")
def video():
    return crescent(64)


@pytest.fixture(scope="module")
def measured(model, video):
    return model.measure(video, torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def observed(model, video):
    """eht-imaging's own simulated observation of four of the frames, thermal noise and all, and our table of it."""
    observation = schedule(model, 64)
    rows = []
    for frame in FRAMES:
        time = model.settings.start_utc_h + frame * model.settings.cadence_s / 3600
        of_frame = observation.copy()
        of_frame.data = observation.data[np.isclose(observation.data["time"], time)]
        image = eht_image(model, brightness(video)[0, frame].double().numpy())
        simulated = image.observe_same(of_frame, ttype="direct", add_th_noise=True, seed=1, verbose=False)
        rows.append(simulated.data)
    observation.data = np.concatenate(rows)
    return observation, table_of(observation, model.settings.start_utc_h, model.settings.cadence_s)


@pytest.mark.slow
@pytest.mark.parametrize("frame", FRAMES)
def test_ideal_visibilities_are_those_of_eht_imaging(model, video, frame):
    observation = schedule(model, 64)
    time = model.settings.start_utc_h + frame * model.settings.cadence_s / 3600
    observation.data = observation.data[np.isclose(observation.data["time"], time)]
    image = brightness(video)[:, frame : frame + 1]
    oracle = eht_image(model, image[0, 0].double().numpy())
    expected = oracle.observe_same_nonoise(observation, ttype="direct", verbose=False).data["vis"]
    uv = torch.from_numpy(np.stack([observation.data["u"], observation.data["v"]], axis=-1))[None, None]

    def visibilities(image: torch.Tensor) -> np.ndarray:
        return transform(image, waves_at(uv, (32, 32), model.pixel_rad, image.dtype))[0, 0].numpy()

    found = visibilities(image)
    assert len(expected) == 21
    # float32; relative to the flux, which is what rounding is relative to.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * abs(expected).max())
    precise = visibilities(image.double())
    np.testing.assert_allclose(precise, expected, rtol=1e-10)


@pytest.mark.slow
def test_closures_their_order_signs_and_errors_are_those_of_eht_imaging(observed):
    observation, table = observed
    ours = to_measurement(table, 64, range(8))
    phases = observation.c_phases(mode="all", count="min", ang_unit="rad")
    amplitudes = observation.c_amplitudes(mode="all", count="min", ctype="logcamp", debias=False)
    for name, column, sigma, theirs in (
        ("closure_phase", "cphase", "sigmacp", phases),
        ("log_closure_amplitude", "camp", "sigmaca", amplitudes),
    ):
        present = ours[f"{name}_sigma"] > 0
        assert present.sum() == len(theirs) == {"closure_phase": 4 * 15, "log_closure_amplitude": 4 * 14}[name]
        np.testing.assert_allclose(ours[name][present], theirs[column], atol=1e-10)
        np.testing.assert_allclose(ours[f"{name}_sigma"][present], theirs[sigma], rtol=1e-10)


def test_chi_squares_are_those_of_eht_imaging(model, video, observed):
    eht, (observation, table) = pytest.importorskip("ehtim"), observed
    wrong = crescent(64, seed=3)
    flux = {name: torch.ones(1, 64, dtype=torch.float64) for name in ("flux", "flux_sigma")}
    arrays = to_measurement(table, 64, range(8))
    measurement = {name: torch.from_numpy(array)[None] for name, array in arrays.items()} | flux
    found = model.chi_squares(wrong, measurement)
    sums = {"cphase": [], "logcamp": []}
    for frame in FRAMES:
        of_frame = observation.copy()
        of_frame.data = observation.data[table.frame == frame]
        image = eht_image(model, brightness(wrong)[0, frame].double().numpy())
        for kind in sums:
            sums[kind].append(of_frame.chisq(image, dtype=kind, ttype="direct", debias=False, cp_uv_min=False))
    # Every frame has as many closures as the others, so the mean of the frames is that of all.
    assert found["closure_phase"].item() == pytest.approx(np.mean(sums["cphase"]), rel=1e-4)
    assert found["log_closure_amplitude"].item() == pytest.approx(np.mean(sums["logcamp"]), rel=1e-4)
    assert min(map(np.mean, sums.values())) > 2
    assert eht is not None


@pytest.mark.slow
def test_the_studys_measurement_has_the_papers_numbers(measured):
    present = {name: measured[f"{name}_sigma"][0] > 0 for name in ("closure_phase", "log_closure_amplitude")}
    assert measured["sigma"].shape == (1, 64, 21)
    assert (measured["sigma"] > 0).all()
    assert len(measured["stations"].unique()) == 7
    assert (present["closure_phase"].sum(-1) == 15).all()
    assert (present["log_closure_amplitude"].sum(-1) == 14).all()
    assert sum(int(of_kind.sum()) for of_kind in present.values()) == 1856
    assert measured["time_h"].amin().item() == 12.5
    assert measured["time_h"].amax().item() == pytest.approx(12.5 + 63 * 102 / 3600)


@pytest.mark.slow
def test_the_truth_fits_its_own_measurement(model, video, measured):
    found = model.chi_squares(video, measured)
    for name, n in {"closure_phase": 960, "log_closure_amplitude": 896, "flux": 64}.items():
        # Leakage is not in the errors that the data state, so the closures are a little worse than 1.
        assert 1 - 5 * (2 / n) ** 0.5 < found[name].item() < 1.2 + 5 * (2 / n) ** 0.5
    assert model.misfit(video, measured).item() < 1.4
    assert model.misfit(-video, measured).item() > 10


def test_the_likelihood_is_the_chi_squares(model, video, measured):
    other = crescent(64, seed=5)
    found = model.chi_squares(other, measured)
    expected = 960 * found["closure_phase"] + 896 * found["log_closure_amplitude"] + 0.26 * 64 * found["flux"]
    torch.testing.assert_close(model.negative_log_likelihood(other, measured), expected / 2)
    louder = forward_model().__class__(model.settings, 64, model.n_pixels, noise_level=2.0)
    torch.testing.assert_close(louder.negative_log_likelihood(other, measured), expected / 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_prepared_once_changes_no_result(model, measured, dtype):
    assert isinstance(model, PrecomputingModel)
    other, prepared = crescent(64, seed=5).to(dtype), model.precompute(measured, dtype)
    assert {array.shape[:2] for array in prepared.values()} == {(1, 64)}
    assert prepared["waves_x"].dtype == dtype
    for method in (model.negative_log_likelihood, model.residuals, model.misfit):
        assert torch.equal(method(other, prepared), method(other, measured))
    spared = {name: array for name, array in prepared.items() if name not in ("uv", "closure_phase", "flux_sigma")}
    assert torch.equal(*(model.negative_log_likelihood(other, one) for one in (spared, measured)))


def test_chunks_of_frames_add_up(model, measured):
    other = crescent(64, seed=5)
    whole = model.negative_log_likelihood(other, measured)
    parts = [
        model.negative_log_likelihood(other[:, rows], {name: array[:, rows] for name, array in measured.items()})
        for rows in (slice(0, 5), slice(5, 40), slice(40, 64))
    ]
    torch.testing.assert_close(sum(parts), whole)


def test_frames_without_baselines_and_with_few_count_what_they_have(model, video, measured):
    """Half the frames lose all data, one loses all but a triangle of stations: what is left is a measurement."""
    lost = {name: array.clone() for name, array in measured.items()}
    rows = np.arange(64)
    most_sensitive = torch.tensor([0, 4, 1])  # of those that are up
    keep = {0: range(21), 1: np.flatnonzero(torch.isin(measured["stations"][0, 1], most_sensitive).all(-1))}
    table = Visibilities(
        frame=np.concatenate([np.full(len(keep.get(n, [])), n) for n in rows]).astype(int),
        **{
            field: np.concatenate([lost[name][0, n][list(keep.get(n, []))].numpy() for n in rows])
            for field, name in (
                ("time_h", "time_h"),
                ("stations", "stations"),
                ("uv", "uv"),
                ("value", "visibility"),
                ("sigma", "sigma"),
            )
        },
    )
    order = by_sensitivity(read_array(PROJECT / "resources/eht2017.csv"))
    few = {name: torch.from_numpy(array)[None] for name, array in to_measurement(table, 64, order).items()}
    few |= {name: torch.zeros(1, 64, dtype=torch.float64) for name in ("flux", "flux_sigma")}
    counts = (few["closure_phase_sigma"][0] > 0).sum(-1)
    assert counts[:3].tolist() == [15, 1, 0]
    first = {name: array[:, :1] for name, array in measured.items()}
    found, expected = model.chi_squares(video, few), model.chi_squares(video[:, :1], first)
    torch.testing.assert_close(found["log_closure_amplitude"], expected["log_closure_amplitude"])
    ours = closure_phase(few["visibility"][:, 1], few["triangle"][:, 1])[0, 0]
    torch.testing.assert_close(ours, measured["closure_phase"][0, 1, 0])
    torch.testing.assert_close(few["closure_phase"][0, 1, 0], ours)
    assert torch.isfinite(model.misfit(video, few)).all()
    x = video.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.negative_log_likelihood(x, few).sum(), x)
    assert torch.isfinite(gradient).all()
    assert (gradient[:, 2:] == 0).all()
    assert (gradient[:, :2] != 0).any()


@pytest.mark.slow
def test_the_gradient_is_that_of_finite_differences():
    model = forward_model(n_frames=2, n_pixels=6)
    video = crescent(2, 6).double() * 0.9
    measured = model.measure(video, torch.Generator().manual_seed(0))
    start = crescent(2, 6, seed=1).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: model.negative_log_likelihood(x, measured), start, rtol=1e-4)


@pytest.mark.slow
def test_half_the_squared_residuals_is_the_negative_log_likelihood_and_both_derivatives_agree(measured, model):
    other = crescent(64, seed=5)
    residuals = model.residuals(other, measured)
    torch.testing.assert_close(residuals.square().sum(dim=1) / 2, model.negative_log_likelihood(other, measured))
    small = forward_model(n_frames=2, n_pixels=6)
    data = small.measure(crescent(2, 6).double() * 0.9, torch.Generator().manual_seed(0))
    start = crescent(2, 6, seed=1).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: small.residuals(x, data), start, rtol=1e-4, check_forward_ad=True)


def test_closures_do_not_see_stations_gains_and_phases_but_see_those_of_baselines(measured):
    generator = torch.Generator().manual_seed(3)
    values = measured["visibility"]
    log_gain, phase = torch.randn(2, 1, 64, 8, generator=generator, dtype=torch.float64)
    one, other = measured["stations"].unbind(-1)
    of_stations = torch.polar(
        torch.exp(log_gain.gather(-1, one) + log_gain.gather(-1, other)),
        phase.gather(-1, one) - phase.gather(-1, other),
    )
    of_baselines = torch.polar(*(1 + torch.rand(2, 1, 64, 21, generator=generator, dtype=torch.float64)))
    triangle, quadrangle = measured["triangle"], measured["quadrangle"]
    for error, unseen in ((of_stations, True), (of_baselines, False)):
        turn = closure_phase(values * error, triangle) - closure_phase(values, triangle)
        change = log_closure_amplitude(values * error, quadrangle) - log_closure_amplitude(values, quadrangle)
        largest = max((torch.polar(torch.ones_like(turn), turn) - 1).abs().max(), change.abs().max())
        assert (largest < 1e-9) == unseen


@pytest.mark.slow
def test_each_error_that_is_named_disturbs_the_visibilities_and_none_leaves_them(video):
    def observe(*errors: str) -> torch.Tensor:
        model = forward_model(n_frames=2, errors=errors)
        measured = model.measure(video[:, :2], torch.Generator().manual_seed(0))
        ideal = model.ideal_visibilities(video[:, :2].double(), measured["uv"])
        jy = model.settings.source_flux_jy / brightness(video[:, :2]).double().sum((-2, -1)).mean()
        return (measured["visibility"] - jy * ideal).abs().amax()

    assert observe() < 1e-6  # the video is float32
    for error in ("thermal", "gains", "phases", "leakage", "atmosphere"):
        assert observe(error) > 1e-4, error


@pytest.mark.slow
def test_thermal_noise_has_the_standard_deviation_of_the_radiometer(video):
    model = forward_model(errors=("thermal",))
    measured = model.measure(video, torch.Generator().manual_seed(0))
    ideal = model.ideal_visibilities(video.double(), measured["uv"])
    jy = model.settings.source_flux_jy / brightness(video).double().sum((-2, -1)).mean()
    error = (measured["visibility"] - jy * ideal) / measured["sigma"]
    assert error.real.std().item() == pytest.approx(1, abs=0.06)
    assert error.imag.std().item() == pytest.approx(1, abs=0.06)
    # ALMA - APEX, by hand: sqrt(70 * 4900 / (2 * 2 GHz * 102 s)) / 0.88 for one feed, both averaged.
    expected = (70 * 4900 / (2 * 2e9 * 102)) ** 0.5 / 0.88 / 2**0.5
    assert measured["sigma"][0, 0, 0].item() == pytest.approx(expected, rel=1e-6)


DIGEST = """
import hashlib, torch
from eht_observations import crescent, forward_model
measured = forward_model(n_frames=2).measure(crescent(2), torch.Generator().manual_seed(7))
print(hashlib.sha256(measured["visibility"].numpy().tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_the_same_seed_gives_the_same_observation_in_another_process():
    measured = forward_model(n_frames=2).measure(crescent(2), torch.Generator().manual_seed(7))
    path = os.pathsep.join([str(PROJECT / "tests/physics"), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "12"}
    other = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == hashlib.sha256(measured["visibility"].numpy().tobytes()).hexdigest()
    again = forward_model(n_frames=2).measure(crescent(2), torch.Generator().manual_seed(8))
    assert not torch.equal(again["visibility"], measured["visibility"])


@pytest.mark.slow
def test_observing_leaves_numpys_generator_as_it_was():
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    forward_model(n_frames=1).measure(crescent(1), torch.Generator().manual_seed(0))
    assert np.random.rand() == expected  # noqa: NPY002


def test_the_dirty_image_is_the_adjoint_of_the_transform_without_pulse():
    generator = torch.Generator().manual_seed(0)
    uv = 4e9 * torch.randn(1, 2, 5, 2, generator=generator, dtype=torch.float64)
    image, pixel_rad = torch.randn(1, 2, 8, 8, generator=generator, dtype=torch.float64), 1e-11
    values = torch.randn(1, 2, 5, generator=generator, dtype=torch.complex128)
    weight = torch.rand(1, 2, 5, generator=generator, dtype=torch.float64)
    pulse = torch.special.sinc(uv * pixel_rad).square().prod(-1)
    seen = transform(image, waves_at(uv, (8, 8), pixel_rad, torch.float64)) / pulse
    dirty = dirty_image(values, weight, uv, 8, pixel_rad)
    left = (seen.conj() * values * weight).real.sum(-1) / weight.sum(-1)
    torch.testing.assert_close(left, (image * dirty).sum((-2, -1)))


def test_a_frame_without_data_is_dark_in_the_dirty_video(model, measured):
    lost = {name: array.clone() for name, array in measured.items()}
    lost["sigma"][:, 3] = 0
    dirty = model.backprojection(lost)
    assert dirty.shape == (1, 64, 1, 32, 32)
    assert (dirty[:, 3] == -1).all()
    assert dirty.amax().item() == pytest.approx(1)
    assert dirty.amin() >= -1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"start_utc_h": 0.5, "elevation_deg": (60.0, 85.0)}, "no two stations see the source"),
        ({"array": PROJECT / "nowhere.csv"}, r"no table of stations .*nowhere\.csv"),
    ],
)
def test_an_observation_that_cannot_be_made_is_one_line(change, says):
    with pytest.raises(InputError, match=says):
        forward_model(n_frames=2, **change).measure(crescent(2), torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("sefd_r_jy", "sefd", "no column sefd_r_jy"),
        (",4900,4900,", ",many,4900,", "AP.*many"),
        (",4900,4900,", ",0,4900,", "AP.*SEFD"),
        ("AP,APEX", "AA,APEX", "AA twice"),
    ],
)
def test_a_table_of_stations_that_is_wrong_is_one_line(tmp_path, old, new, says):
    text = (PROJECT / "resources/eht2017.csv").read_text()
    assert old in text
    (tmp_path / "array.csv").write_text(text.replace(old, new))
    with pytest.raises(InputError, match=says):
        read_array(tmp_path / "array.csv")


def test_a_dark_video_has_no_visibilities(model):
    with pytest.raises(InputError, match="dark everywhere"):
        model.measure(-torch.ones(1, 64, 1, 32, 32), torch.Generator().manual_seed(0))


def direct(**changes: object) -> ClosureImaging:
    """Return the paper's observation of two frames, built from its numbers."""
    values = {"frames": 2, "pixels": N_PIXELS, "field_of_view_uas": 128, "cadence_s": 102, "start_utc_h": 12.5}
    return ClosureImaging.of_array(PROJECT / "resources/eht2017.csv", **values | changes)


@pytest.mark.slow
def test_the_direct_constructor_with_the_papers_numbers_is_the_configured_model_and_takes_an_array_and_a_seed():
    video = crescent(2)
    expected = forward_model(n_frames=2).measure(video, torch.Generator().manual_seed(4))
    found = direct().measure(video[0].numpy(), seed=4)
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.slow
def test_the_direct_constructor_takes_other_values_by_their_names_in_the_configuration():
    model = direct(start_utc_h=12.9, changes={"frequency_hz": 345.0e9, "errors": ()})
    measured = model.measure(crescent(2), seed=0)
    assert measured["time_h"][measured["sigma"] > 0].min().item() == pytest.approx(12.9)
    longest = direct().measure(crescent(2), seed=0)["uv"].abs().max().item()
    assert measured["uv"].abs().max().item() == pytest.approx(1.5 * longest, rel=0.05)
    for changes, says in (({"frequency": 1.0}, "frequency"), ({"opacity": -1.0}, "opacity")):
        with pytest.raises(InputError, match=says):
            direct(changes=changes)


@pytest.mark.slow
def test_an_assumed_noise_level_multiplies_the_errors():
    video = crescent(2)
    measured, other = direct().measure(video, seed=0), crescent(2, seed=1)
    one, four = (model.negative_log_likelihood(other, measured) for model in (direct(), direct().with_noise_level(2)))
    torch.testing.assert_close(four, one / 4)


def test_a_video_of_another_length_is_one_line():
    with pytest.raises(InputError, match=r"time 2, channel 1, y 32, x 32.*\(1, 3, 1, 32, 32\)"):
        direct().measure(crescent(3), seed=0)
