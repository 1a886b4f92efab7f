import dataclasses

import h5py
import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from step.config.study import load_config
from step.domains.blackhole.accretion.accretion_flow import AccretionFlow, sample_accretion_flow
from step.domains.blackhole.accretion.crescent import energy_shift
from step.domains.blackhole.accretion.hotspots import SpotField
from step.domains.blackhole.accretion.images import FlowImages
from step.domains.blackhole.accretion.ipole_files import IpoleHeader, write_ipole_image
from step.domains.blackhole.accretion.plane import Plane, place_pixels
from step.domains.blackhole.accretion.turbulence import TurbulentField
from step.domains.blackhole.simulate import Settings, settings_of, simulate

CADENCE_M = 20
FLUX_JY = 2.4
PIXELS, FIELD_UAS = 32, 128.0


def settings(**changes: object) -> Settings:
    values = {
        "seed": 0,
        "frames": 4,
        "cadence_s": 408.0,
        "images": 3,
        "pixels": PIXELS,
        "field_of_view_uas": FIELD_UAS,
        "flux_jy": FLUX_JY,
        "pattern_speed_deg_per_m": (0.5, 1.5),
    }
    return Settings(**{**values, **changes})


def flow_of(seed: int, **parts: dict[str, object]) -> AccretionFlow:
    """Return the flow of `seed`, with values of its parts changed, e.g. ``view={"inclination_rad": 0}``."""
    flow = sample_accretion_flow(seed, (0.5, 1.5))
    changes = {name: dataclasses.replace(getattr(flow, name), **values) for name, values in parts.items()}
    return dataclasses.replace(flow, **changes)


def video_of(flow: AccretionFlow, n_frames: int = 16) -> np.ndarray:
    images = FlowImages(flow, PIXELS, FIELD_UAS, FLUX_JY)
    return np.stack([images.at(CADENCE_M * number) for number in range(n_frames)])


def around_ring(images: np.ndarray, n_azimuths: int = 72) -> np.ndarray:
    """Return the brightness (time, azimuth) near the photon ring, counter-clockwise from the right."""
    azimuth = 2 * np.pi * np.arange(n_azimuths) / n_azimuths
    middle, pixel_uas = (PIXELS - 1) / 2, FIELD_UAS / PIXELS
    rings = []
    for radius_uas in (24, 28, 32):
        y, x = (radius_uas / pixel_uas * turn(azimuth) for turn in (np.sin, np.cos))
        rings.append([map_coordinates(image, (middle - y, middle + x), order=1) for image in images])
    return np.mean(rings, axis=0)


def turn_per_frame(video: np.ndarray) -> float:
    """Return by how many degrees the brightness pattern turns from one frame to the next, counter-clockwise.

    It is the lag, up to 60 degrees either way, of the largest cross-correlation of successive frames.
    """
    ring = around_ring(video)
    pattern = ring / ring.mean(0)
    spectrum = np.fft.fft(pattern - pattern.mean(1, keepdims=True))
    correlation = np.fft.ifft((spectrum[1:] * spectrum[:-1].conj()).sum(0)).real
    lags = np.fft.fftfreq(len(correlation), 1 / 360)
    return lags[np.where(np.abs(lags) <= 60, correlation, -np.inf).argmax()]


def read_movie(path) -> np.ndarray:
    with h5py.File(path) as file:
        return file["I"][:]


def read_ipole(path) -> np.ndarray:
    with h5py.File(path) as file:
        return file["pol"][:, :, 0].T[::-1] * file["header/scale"][()]


@pytest.mark.slow
def test_a_library_has_flows_with_movies_and_flows_with_single_images():
    data = load_config().data["blackhole"]
    simulation = data.simulation.model_copy(update={"movies": 2, "image_sets": 1})
    data = data.model_copy(update={"simulation": simulation})
    assert data.simulated_subjects == ["flow0001", "flow0002", "still0001"]
    assert data.model_copy(update={"single_images": None}).simulated_subjects == ["flow0001", "flow0002"]


def test_settings_come_from_the_configuration_without_the_number_of_flows():
    config = load_config()
    values = settings_of(config.data["blackhole"], config.seed).model_dump()
    assert values.pop("seed") == config.seed
    assert values == config.data["blackhole"].simulation.model_dump(exclude={"movies", "image_sets"})


def test_ehtim_reads_a_movie_with_its_flux_pixels_and_times(tmp_path):
    ehtim_movie = pytest.importorskip("ehtim.movie")
    simulate(settings(), ["flow0001"], tmp_path)
    movie = ehtim_movie.load_hdf5(str(tmp_path / "movies/flow0001.h5"))
    np.testing.assert_allclose(movie.times, np.arange(4) * 408 / 3600, rtol=1e-12)
    assert movie.psize == pytest.approx(4 * np.pi / 180 / 3600e6)
    assert (movie.xdim, movie.ydim, movie.rf) == (PIXELS, PIXELS, 230e9)
    assert movie.lightcurve == pytest.approx(read_movie(tmp_path / "movies/flow0001.h5").sum((1, 2)))
    assert movie.lightcurve == pytest.approx(FLUX_JY, rel=0.5)


def test_ehtim_reads_single_images_the_right_way_up(tmp_path):
    ehtim_image = pytest.importorskip("ehtim.image")
    image = np.arange(12.0 * 12).reshape(12, 12)
    write_ipole_image(tmp_path / "img.h5", IpoleHeader(48.0, 230e9, 60.0), image)
    read = ehtim_image.load_image(str(tmp_path / "img.h5"))
    np.testing.assert_allclose(read.imarr("I"), image, rtol=1e-6)
    assert read.psize == pytest.approx(4 * np.pi / 180 / 3600e6, rel=1e-5)
    assert read.time == pytest.approx(60 * 20.4 / 3600)
    assert read.source == "SgrA"


def test_single_images_have_the_layout_of_ipole(tmp_path):
    simulate(settings(), ["still0001"], tmp_path)
    paths = list((tmp_path / "images/still0001").iterdir())
    assert len(paths) == 3
    for path in paths:
        with h5py.File(path) as file:
            assert file["pol"].shape == (PIXELS, PIXELS, 5)
            header = file["header"]
            assert path.name == f"img_s{header['t'][()]:.0f}.h5"
            camera = {name: value[()] for name, value in header["camera"].items()}
            units = {name: value[()] for name, value in header["units"].items()}
            # The pixel's side from the camera in GM/c^2 is that in microarcseconds.
            side_rad = camera["dx"] * units["L_unit"] / header["dsource"][()]
            assert header["freqcgs"][()] == 230e9
        assert (camera["nx"], camera["ny"], camera["dy"]) == (PIXELS, PIXELS, camera["dx"])
        assert camera["fovx_dsource"] == camera["fovy_dsource"] == FIELD_UAS
        assert side_rad == pytest.approx(FIELD_UAS * np.pi / 180 / 3600e6)
        assert units.keys() == {"L_unit", "M_unit", "T_unit"}
        assert units["T_unit"] == 20.4


@pytest.mark.slow
def test_single_images_show_the_flow_at_independent_times(tmp_path):
    simulate(settings(images=40), ["still0001"], tmp_path)
    times = sorted(int(path.stem.removeprefix("img_s")) for path in tmp_path.glob("images/still0001/*"))
    flow = sample_accretion_flow(0, (0.5, 1.5))
    assert np.diff(times).min() > 2 * max(flow.turbulence.lifetime_m, flow.spots.lifetime_m)
    stills = np.stack([read_ipole(tmp_path / f"images/still0001/img_s{time}.h5") for time in times])
    changes = stills - stills.mean(0)
    together = (changes[1:] * changes[:-1]).sum((1, 2)) / (changes**2).sum((1, 2)).mean()
    assert abs(together.mean()) < 0.15
    assert 0.8 < stills.sum((1, 2)).mean() / FLUX_JY < 1.2


@pytest.mark.slow
@pytest.mark.parametrize(("name", "file"), [("flow0001", "movies/flow0001.h5"), ("still0001", "images/still0001")])
def test_a_flow_depends_on_seed_and_name_alone(tmp_path, name, file):
    def read(root) -> np.ndarray:
        path = tmp_path / root / file.replace(name, names[root][-1])
        return np.stack([read_ipole(p) for p in sorted(path.iterdir())]) if path.is_dir() else read_movie(path)

    other = name.replace("1", "2")
    names = {"a": [name], "b": [other, name], "c": [name], "d": [other]}
    for root, chosen in names.items():
        simulate(settings(seed=int(root == "c")), chosen, tmp_path / root)
    assert np.array_equal(read("a"), read("b"))
    for root in "cd":
        assert np.abs(read(root) - read("a")).mean() > 0.1 * read("a").mean()


def test_longer_movies_and_larger_sets_begin_with_shorter_and_smaller_ones(tmp_path):
    names = ["flow0001", "still0001"]
    simulate(settings(frames=2, images=2), names, tmp_path / "short")
    simulate(settings(frames=5, images=4), names, tmp_path / "long")
    short, long = (read_movie(tmp_path / root / "movies/flow0001.h5") for root in ("short", "long"))
    assert np.array_equal(long[:2], short)
    few, many = ({p.name for p in tmp_path.glob(f"{root}/images/*/*")} for root in ("short", "long"))
    assert few < many


def test_fewer_single_images_leave_none_of_an_older_set(tmp_path):
    for images in (4, 2):
        simulate(settings(images=images), ["still0001"], tmp_path)
    assert len(list((tmp_path / "images/still0001").iterdir())) == 2


def test_another_cadence_sees_the_same_flow(tmp_path):
    for cadence_s, frames in ((408.0, 3), (102.0, 9)):
        simulate(settings(cadence_s=cadence_s, frames=frames), ["flow0001"], tmp_path / str(frames))
    coarse, fine = (read_movie(tmp_path / str(frames) / "movies/flow0001.h5") for frames in (3, 9))
    np.testing.assert_allclose(fine[::4], coarse, rtol=1e-5)


@pytest.mark.slow
def test_images_change_continuously():
    images = FlowImages(flow_of(0), PIXELS, FIELD_UAS, FLUX_JY)
    frames = np.stack([images.at(time) for time in np.arange(0, 400, 0.5)])
    steps = np.sqrt((np.diff(frames, axis=0) ** 2).sum((1, 2)))
    far_apart = np.sqrt(((frames[::200] - frames.mean(0)) ** 2).sum((1, 2))).mean()
    assert steps.max() < 0.1 * far_apart


@pytest.mark.slow
def test_patterns_turn_both_ways_and_it_can_be_seen():
    flows = [flow_of(seed) for seed in range(20)]
    sampled = np.array([flow.rotation.direction for flow in flows])
    seen = np.array([turn_per_frame(video_of(flow)) for flow in flows])
    assert 4 <= (sampled > 0).sum() <= 16
    assert (np.sign(seen) == sampled).mean() >= 0.9
    speeds = np.array([np.rad2deg(flow.rotation.speed_rad_per_m) * CADENCE_M for flow in flows])
    assert np.median(np.abs(np.abs(seen) - speeds)) < 5


def test_what_is_farther_out_turns_more_slowly():
    # Patterns that live for ever do not change but for their turning.
    flow = flow_of(0, turbulence={"lifetime_m": 1e7})
    azimuth = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    log_radius, azimuth = np.meshgrid(np.log([1.0, 1.5]), azimuth, indexing="ij")
    field = TurbulentField(flow, Plane(np.exp(log_radius), log_radius, azimuth))
    before, after = (np.fft.fft(field.at(time)) for time in (100, 110))
    speed = flow.rotation.speed_rad_per_m * np.array([1, 1.5**-flow.rotation.shear])
    for order in range(1, 8):
        turned = -np.angle(after[:, order] / before[:, order]) / order / 10
        np.testing.assert_allclose(turned, flow.rotation.direction * speed, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_modulations_have_the_moments_that_are_allowed_for(seed):
    flow = flow_of(seed)
    plane = place_pixels(flow, 6, 70.0)
    times = np.arange(0, 100_000, 50)
    field = TurbulentField(flow, plane)
    values = np.stack([field.at(time) for time in times])
    assert values.mean() == pytest.approx(0, abs=0.05)
    assert values.var(axis=0) == pytest.approx(1, rel=0.15)
    spots = SpotField(flow, plane)
    mean = np.mean([spots.at(time) for time in times], axis=0)
    np.testing.assert_allclose(mean, spots.mean(), rtol=0.15, atol=0.05 * spots.mean().max())


@pytest.mark.slow
def test_the_mean_flux_is_the_one_asked_for_and_varies_about_it():
    fluxes = []
    for seed, spots in ((0, {}), (1, {}), (2, {}), (3, {"alive": 5.0})):
        images = FlowImages(flow_of(seed, spots=spots), 16, FIELD_UAS, FLUX_JY)
        fluxes.append([images.at(time).sum() for time in range(0, 40_000, 120)])
    assert np.mean(fluxes, axis=1) == pytest.approx(FLUX_JY, rel=0.04)
    variability = np.std(fluxes, axis=1) / FLUX_JY
    assert variability.min() > 0.05
    assert variability.max() < 0.25


@pytest.mark.slow
def test_videos_are_far_from_still_but_keep_their_shape():
    for_each = []
    for seed in range(30):
        video = video_of(flow_of(seed))
        for_each.append(np.sqrt(((video - video.mean(0)) ** 2).mean() / (video**2).mean()))
    assert min(for_each) > 0.1
    assert max(for_each) < 0.4
    assert 0.15 < np.median(for_each) < 0.25


@pytest.mark.parametrize("seed", range(5))
def test_the_shadow_is_darker_than_the_ring(seed):
    mean = video_of(flow_of(seed, view={"offset_m": 0.0})).mean(0)
    y, x = np.indices(mean.shape) - (PIXELS - 1) / 2
    radius_uas = np.hypot(y, x) * FIELD_UAS / PIXELS
    shadow, ring, sky = (mean[(low < radius_uas) & (radius_uas < high)] for low, high in ((0, 9), (22, 34), (56, 64)))
    assert shadow.mean() < 0.25 * ring.mean()
    assert sky.mean() < 0.25 * ring.mean()
    assert (mean > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("direction", [-1, 1])
@pytest.mark.parametrize("angle_deg", [0, 60, 200])
def test_the_side_that_comes_towards_us_is_brighter(direction, angle_deg):
    view = {"inclination_rad": 0.9, "position_angle_rad": np.deg2rad(angle_deg), "offset_m": 0.0}
    video = video_of(flow_of(0, view=view, rotation={"direction": direction}), 64)
    (ring,) = around_ring(video.mean(0, keepdims=True))
    # The spin axis's tip lies `angle_deg` east of north, counter-clockwise from the top; gas on the right of an
    # axis that points upwards and towards us recedes, and so it does where axis and rotation are reversed.
    receding = angle_deg // 5
    bright, faint = (np.roll(ring, 9 - start)[:18].mean() for start in (receding + 36, receding))
    assert bright > 1.5 * faint


def test_gas_on_circular_orbits_has_the_known_energy_shifts():
    log_radius, azimuth = np.log([1.5, 2.0, 4.0]), np.pi * np.ones(3)
    plane = Plane(np.exp(log_radius), log_radius, azimuth)
    kepler = {"orbital_speed": 1.0, "ring_radius_m": 5.0}
    radius = 5 * np.exp(log_radius) - 1
    face_on = energy_shift(flow_of(0, emission=kepler, view={"inclination_rad": 0}), plane)
    np.testing.assert_allclose(face_on, np.sqrt(1 - 3 / radius))
    # Seen from within the plane, the approaching side of a Schwarzschild disk (Luminet 1979).
    edge_on = energy_shift(flow_of(0, emission=kepler, view={"inclination_rad": np.pi / 2}), plane)
    np.testing.assert_allclose(edge_on, np.sqrt(1 - 3 / radius) / (1 - 1 / np.sqrt(radius - 2)))


def test_flows_differ_in_everything_that_moves():
    flows = [flow_of(seed) for seed in range(30)]
    for part, name, low, high in [
        ("rotation", "speed_rad_per_m", np.deg2rad(0.5), np.deg2rad(1.5)),
        ("rotation", "shear", 0.5, 1.5),
        ("view", "inclination_rad", np.deg2rad(10), np.deg2rad(80)),
        ("emission", "ring_radius_m", 0.85 * 27**0.5, 1.15 * 27**0.5),
    ]:
        values = [getattr(getattr(flow, part), name) for flow in flows]
        assert low <= min(values) < low + 0.25 * (high - low)
        assert high - 0.25 * (high - low) < max(values) <= high
