import h5py
import numpy as np
import pytest
from step.domains.mri import simulate as mri
from step.domains.mri.cmrxrecon import read_raw_file
from step.domains.mri.cmrxrecon_tree import find_raw_files
from step.domains.mri.phantom.anatomy import contraction, sample_patient
from step.domains.mri.phantom.canvas import ellipse_distance, make_grid
from step.domains.mri.phantom.patient import simulate_magnitudes, simulate_patient
from step.domains.mri.phantom.short_axis import paint_short_axis
from step.domains.mri.phantom.ventricle import ventricle_radii

FOLDER = "ChallengeData/{}/Cine/TrainingSet/FullSample/P001"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("coils", "folder", "variable", "axes"),
    [
        ("single", "SingleCoil", "kspace_single_full", (12, 2, 42, 56)),
        ("multi", "MultiCoil", "kspace_full", (12, 2, 10, 42, 56)),
    ],
)
def test_files_have_the_layout_of_the_challenge(tmp_path, simulation, coils, folder, variable, axes):
    mri.simulate(simulation(coils=coils), ["TrainingSet-P001"], tmp_path)
    folder = tmp_path / FOLDER.format(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["cine_lax.mat", "cine_sax.mat"]
    with h5py.File(folder / "cine_sax.mat") as file:
        assert file.userblock_size == 512
        assert list(file) == [variable]
        assert file[variable].shape == axes
        assert file[variable].dtype == np.dtype([("real", "<f4"), ("imag", "<f4")])
    header = (folder / "cine_sax.mat").read_bytes()[:128]
    assert header.startswith(b"MATLAB 7.3 MAT-file")
    assert header.endswith(b"\x00\x02IM")
    with h5py.File(folder / "cine_lax.mat") as file:
        assert file[variable].shape == (12, 1, *axes[2:])


def read(root):
    return [s for raw in find_raw_files(root, (), ("sax", "lax")) for s in read_raw_file(raw, 12)]


def test_images_are_complex_and_peak_where_real_ones_do(tmp_path, simulation):
    simulate_patient(simulation(), "P001", tmp_path)
    for sequence in read(tmp_path):
        assert 1e-6 < np.abs(sequence.image).max() < 5e-6
        phase = np.angle(sequence.image * np.exp(-1j * np.angle(sequence.image.sum())))
        bright = np.abs(sequence.image) > 0.3 * np.abs(sequence.image).max()
        assert phase[bright].std() > 0.05


@pytest.mark.slow
def test_one_and_ten_coils_see_the_same_heart(tmp_path, simulation):
    for coils in ("single", "multi"):
        simulate_patient(simulation(coils=coils), "P001", tmp_path / coils)
    for single, multi in zip(read(tmp_path / "single"), read(tmp_path / "multi"), strict=True):
        difference = np.abs(single.image) - np.abs(multi.image)
        assert np.abs(difference).mean() < 0.01 * np.abs(single.image).max()


def test_noise_has_the_standard_deviation_asked_for(tmp_path, simulation):
    for noise in (0.0, 0.02):
        simulate_patient(
            simulation(noise=noise, short_axis_slices=1, long_axis_slices=0), "P001", tmp_path / str(noise)
        )
    (clean,), (noisy,) = (read(tmp_path / str(noise)) for noise in (0.0, 0.02))
    difference = noisy.image - clean.image
    for part in (difference.real, difference.imag):
        assert part.std() == pytest.approx(0.02 * np.abs(clean.image).max(), rel=0.05)


@pytest.mark.slow
def test_a_patient_depends_on_seed_and_name_alone(tmp_path, simulation):
    for root, seed, name in (("a", 0, "P001"), ("b", 0, "P001"), ("c", 1, "P001"), ("d", 0, "P002")):
        simulate_patient(simulation(seed=seed), name, tmp_path / root)
    images = {root: np.stack([s.image for s in read(tmp_path / root)[:2]]) for root in "abcd"}
    assert np.array_equal(images["a"], images["b"])
    for other in "cd":
        assert np.abs(np.abs(images["a"]) - np.abs(images[other])).mean() > 0.02 * np.abs(images["a"]).max()


@pytest.mark.parametrize("seed", range(5))
def test_the_pool_loses_the_ejection_fraction_and_the_wall_keeps_its_volume(seed):
    patient = sample_patient(np.random.default_rng(seed))
    rest, systole = (ventricle_radii(patient, 0.4, np.array([s])) for s in (0.0, 1.0))
    levels = np.linspace(0, 1, 400)
    volumes = []
    for state in (0.0, 1.0):
        # Planes between the base, which moves, and the apex, which does not.
        base = patient.beat.shortening * state
        planes = base + levels * (1 - base)
        radii = [ventricle_radii(patient, level, np.array([state])) for level in planes]
        inner, outer = (np.array([pair[n][0] for pair in radii]) for n in (0, 1))
        volumes.append(((1 - base) * (inner**2).mean(), (1 - base) * (outer**2 - inner**2).mean()))
    (pool, wall), (pool_systole, wall_systole) = volumes
    assert 1 - pool_systole / pool == pytest.approx(patient.beat.ejection_fraction, abs=1e-3)
    assert wall_systole == pytest.approx(wall, rel=1e-3)
    assert systole[1] - systole[0] > 1.2 * (rest[1] - rest[0])


def test_the_beat_returns_to_rest_and_systole_is_shorter_than_diastole():
    patient = sample_patient(np.random.default_rng(0))
    state = contraction(patient.beat, 1000)
    assert (state.min(), state.max()) == (pytest.approx(0, abs=1e-4), pytest.approx(1, abs=1e-4))
    assert np.abs(np.diff(state, append=state[0])).max() < 0.03
    assert (np.diff(state) > 0).mean() < 0.5


def test_the_painted_pool_shrinks_by_a_plausible_fraction():
    patient = sample_patient(np.random.default_rng(1))
    grid, state = make_grid((96, 96), 1.5), np.array([0.0, 1.0])
    torso = np.zeros((96, 96), np.float32)
    images = paint_short_axis(grid, patient, torso, 0.8, state, np.random.default_rng(0))
    y, x = grid.y - patient.heart.centre_mm[0], grid.x - patient.heart.centre_mm[1]
    _, outer = ventricle_radii(patient, 0.8, state)
    blood = (images > 0.7) & (np.hypot(y, x) < outer.min() * 0.8)
    areas = blood.sum((1, 2))
    assert 0.3 < 1 - areas[1] / areas[0] < 0.8


@pytest.mark.parametrize("view", ["sax", "lax"])
def test_the_heart_beats_and_the_chest_stays(simulation, view):
    patient = sample_patient(np.random.default_rng(2))
    grid = make_grid((96, 128), 4.0)
    (image,) = simulate_magnitudes(simulation(), patient, view, 1, grid, np.random.default_rng(0))
    motion = np.ptp(image, axis=0)
    far = np.hypot(grid.y, grid.x) > 160
    assert motion[far].max() == 0
    assert motion[~far].max() > 0.4
    assert np.isfinite(image).all()
    assert image.min() >= 0


def test_ellipse_distances_are_right_for_a_circle_and_on_the_edge():
    grid = make_grid((65, 65), 1.0)
    radius = np.hypot(grid.y, grid.x)
    distance = ellipse_distance(grid.x, grid.y, 20, 20)
    np.testing.assert_allclose(distance[radius > 3], (20 - radius)[radius > 3], atol=0.15)
    assert distance[32, 32] > 0
    np.testing.assert_allclose(ellipse_distance(*np.float32([[25, 0], [0, 10]]), 25, 10), 0, atol=1e-5)
