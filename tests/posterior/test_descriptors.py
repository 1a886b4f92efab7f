"""What samples are described by, on videos whose rings, rotations and beats are known."""

import numpy as np
import pytest
from step.domains.blackhole.accretion.accretion_flow import GRAVITATIONAL_TIME_S, sample_accretion_flow
from step.domains.blackhole.accretion.images import FlowImages
from step.errors import InputError
from step.posterior.descriptors import general, heart, ring
from step.posterior.descriptors.appearance import average_image, centre_flux, flux_centroid
from step.posterior.descriptors.rotation import pattern_rotation, rates_deg, rotation_spectrum

N_FRAMES, N_PIXELS = 16, 32


def painted_ring(
    rate_deg: float = 0.0,
    position_angle_deg: float = 0.0,
    asymmetry: float = 0.0,
    radius: float = 8.0,
    sigma: float = 1.5,
    up_left: tuple[float, float] = (0.0, 0.0),
    noise: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """Return a video (time, y, x) of a ring with a pattern that turns at `rate_deg` per frame.

    It is painted on the sky: `up` and `left` of each pixel, the azimuth from up to the left.
    """
    middle = (N_PIXELS - 1) / 2
    up = middle - np.arange(N_PIXELS)[:, None] - up_left[0]
    left = middle - np.arange(N_PIXELS)[None] - up_left[1]
    azimuth = np.arctan2(left, up)
    profile = np.exp(-((np.hypot(up, left) - radius) ** 2) / (2 * sigma**2))
    still = 1 + 2 * asymmetry * np.cos(azimuth - np.deg2rad(position_angle_deg))
    turned = azimuth - np.deg2rad(rate_deg) * np.arange(N_FRAMES)[:, None, None]
    pattern = 0.2 * np.cos(2 * turned + 0.3) + 0.15 * np.cos(3 * turned) if rate_deg else 0
    brightness = profile * (still + pattern) / 2.5
    generator = np.random.default_rng(seed)
    video = brightness + noise * generator.standard_normal((N_FRAMES, N_PIXELS, N_PIXELS))
    return np.clip(video, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("position_angle_deg", "asymmetry"), [(30, 0.3), (-100, 0.2), (175, 0.45)])
def test_the_ring_is_the_painted_one(position_angle_deg, asymmetry):
    video = painted_ring(0, position_angle_deg, asymmetry, radius=7.5, sigma=1.6, up_left=(2.0, -1.5))
    fitted = ring.fit_ring(average_image(video))
    assert fitted.radius == pytest.approx(7.5, abs=0.05)
    assert fitted.sigma == pytest.approx(1.6, abs=0.05)
    assert (fitted.centre_y, fitted.centre_x) == pytest.approx((15.5 - 2.0, 15.5 + 1.5), abs=0.05)
    assert fitted.asymmetry == pytest.approx(asymmetry, abs=0.02)
    assert fitted.position_angle_deg == pytest.approx(position_angle_deg, abs=1)


def test_position_angles_are_from_up_counter_clockwise_as_displayed():
    """North is up and east to the left: what is brightest in the east has the position angle 90."""
    video = painted_ring(0, 90, 0.4)
    assert video[0, :, : N_PIXELS // 2].sum() > video[0, :, N_PIXELS // 2 :].sum()  # the left half is brighter
    assert ring.fit_ring(average_image(video)).position_angle_deg == pytest.approx(90, abs=1)


@pytest.mark.slow
@pytest.mark.parametrize("rate_deg", [20.0, -20.0, 7.5, -33.0])
def test_the_rotation_is_the_painted_one(rate_deg):
    video = painted_ring(rate_deg, 40, 0.3, up_left=(1.5, 2.0), noise=0.05)
    fitted = ring.fit_ring(average_image(video))
    assert pattern_rotation(ring.unroll(video, fitted)) == pytest.approx(rate_deg, abs=1.0)


@pytest.mark.slow
def test_a_mirrored_video_turns_the_other_way():
    video = painted_ring(15, 40, 0.3)
    rates = [
        pattern_rotation(ring.unroll(each, ring.fit_ring(average_image(each))))
        for each in (video, video[:, :, ::-1], video[::-1])
    ]
    np.testing.assert_allclose(rates, [15, -15, -15], atol=1)


def test_the_spectrum_of_a_rigid_rotation_is_one_at_its_rate():
    azimuth, time = np.linspace(0, 2 * np.pi, 60, endpoint=False), np.arange(18)[:, None]
    spectrum = rotation_spectrum(1 + np.cos(2 * (azimuth - np.deg2rad(20) * time)))
    assert spectrum.max() == pytest.approx(1)
    assert rates_deg(18)[spectrum.argmax()] == pytest.approx(20)


def test_what_stands_still_or_brightens_as_a_whole_does_not_turn():
    light_curve = 1 + 0.3 * np.sin(np.arange(N_FRAMES))[:, None, None]
    still = painted_ring(0, 40, 0.3)
    fitted = ring.fit_ring(average_image(still))
    assert pattern_rotation(ring.unroll(np.ones_like(still), fitted)) == 0
    turning = painted_ring(20, 40, 0.1)
    brightening = ring.unroll(np.clip(turning * light_curve, 0, None), fitted)
    assert pattern_rotation(brightening) == pytest.approx(20, abs=2)


@pytest.mark.slow
def test_simulated_flows_turn_as_they_were_made_to():
    """Rotation of the simulator is on the sky, with north up and east to the left, as the descriptor's is."""
    frame_m = 408 / GRAVITATIONAL_TIME_S
    right, ratios = [], []
    for seed in range(12):
        flow = sample_accretion_flow(seed, (0.5, 1.5))
        images = FlowImages(flow, N_PIXELS, 128.0, 2.4)
        video = np.stack([images.at(frame_m * number) for number in range(N_FRAMES)])
        rate = pattern_rotation(ring.unroll(video, ring.fit_ring(average_image(video))))
        made = flow.rotation.direction * np.rad2deg(flow.rotation.speed_rad_per_m) * frame_m
        right.append(np.sign(rate) == flow.rotation.direction)
        ratios.append(rate / made)
    assert np.mean(right) > 0.9
    assert np.median(ratios) == pytest.approx(1, abs=0.15)


@pytest.mark.slow
def test_features_have_the_units_of_the_geometry():
    frames = np.stack([painted_ring(rate, 60, 0.3) for rate in (10, -10)])
    known = ring.describe(frames, frames[0], {"field_of_view_uas": 128.0, "cadence_s": 408.0}).features
    assert {name: feature.unit for name, feature in known.items()} == {
        "radius": "uas",
        "width": "uas",
        "asymmetry": "",
        "position_angle": "deg",
        "rotation_rate": "deg/h",
    }
    assert known["radius"].values == pytest.approx([32, 32], abs=0.5)
    assert known["width"].values == pytest.approx(np.full(2, 2.3548 * 1.5 * 4), abs=0.8)
    np.testing.assert_allclose(known["rotation_rate"].values, [10 * 3600 / 408, -10 * 3600 / 408], rtol=0.05)
    assert known["rotation_rate"].truth == known["rotation_rate"].values[0]
    unknown = ring.describe(frames, None, {}).features
    assert unknown["radius"].unit == "pixel"
    assert unknown["rotation_rate"].unit == "deg/frame"
    np.testing.assert_allclose(unknown["rotation_rate"].values, [10, -10], atol=0.5)
    assert unknown["rotation_rate"].truth is None


def test_where_a_ring_lies_does_not_tell_samples_apart():
    frames = np.stack([painted_ring(0, 60, 0.3, up_left=place) for place in ((0, 0), (3, -2))])
    appearance = ring.describe(frames, None, {}).vectors["appearance"].samples
    moved = np.abs(frames[0].mean(0) - frames[1].mean(0)).sum() / frames[0].mean(0).sum()
    assert np.abs(appearance[0] - appearance[1]).sum() < 0.05 * moved


def test_flux_is_centred_in_the_frame():
    image = average_image(painted_ring(0, 60, 0.3, up_left=(3, -2)))
    assert flux_centroid(centre_flux(image)) == pytest.approx((15.5, 15.5), abs=0.05)


# Hearts, and any video.


def beating_disk(phase_deg: float, n_frames: int = 12) -> np.ndarray:
    """Return a bright disk whose area is smallest at `phase_deg` of the beat."""
    time_deg = 360 * np.arange(n_frames) / n_frames
    radius = 8 - 2 * np.cos(np.deg2rad(time_deg - phase_deg))
    y, x = np.indices((32, 32)) - 15.5
    return 1 / (1 + np.exp(2 * (np.hypot(y, x) - radius[:, None, None])))


def test_the_contraction_phase_is_when_the_heart_is_smallest():
    phases = np.array([90.0, 140.0, -60.0])
    frames = np.stack([beating_disk(phase) for phase in phases])
    described = heart.describe(frames, beating_disk(20.0), {})
    np.testing.assert_allclose(described.features["contraction_phase"].values, phases, atol=5)
    assert described.features["contraction_phase"].truth == pytest.approx(20, abs=5)
    assert described.features["contraction"].values.min() > 0.9


def test_a_pure_cosine_is_all_first_harmonic():
    course = np.cos(2 * np.pi * np.arange(12) / 12 - np.deg2rad(70))
    phase, part = heart.first_harmonic(course[None])
    assert phase[0] == pytest.approx(70 - 180)
    assert part[0] == pytest.approx(1)


@pytest.mark.parametrize("descriptor", [general, heart])
def test_the_truth_is_described_as_a_sample_is(descriptor):
    frames = np.stack([beating_disk(phase) for phase in (0, 40, 80)])
    described = descriptor.describe(frames, frames[1], {})
    for feature in described.features.values():
        assert feature.truth == pytest.approx(feature.values[1])
    for vectors in described.vectors.values():
        np.testing.assert_allclose(vectors.truth, vectors.samples[1], atol=1e-6)


@pytest.mark.parametrize("descriptor", [general, heart])
def test_videos_that_stand_still_are_described(descriptor):
    frames = np.stack([np.full((6, 8, 8), 0.2), np.full((6, 8, 8), 0.4)])
    described = descriptor.describe(frames, None, {})
    np.testing.assert_allclose(described.features["brightness"].values, [0.2, 0.4])
    np.testing.assert_allclose(described.features["variability"].values, 0, atol=1e-9)


def test_a_dark_sample_is_refused():
    with pytest.raises(InputError, match="dark everywhere"):
        general.describe(np.zeros((2, 6, 8, 8)), None, {})
