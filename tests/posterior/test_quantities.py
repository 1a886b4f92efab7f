"""What samples say in the words of their subject, on hearts and rings whose answer is known."""

import numpy as np
import pytest
from step.domains.mri.phantom.anatomy import contraction, sample_patient
from step.domains.mri.phantom.canvas import make_grid
from step.domains.mri.phantom.short_axis import paint_short_axis
from step.domains.mri.phantom.torso import paint_torso
from step.domains.mri.phantom.ventricle import ventricle_radii
from step.errors import InputError
from step.figures.quantities import plot_quantities, read_quantities
from step.io.reconstructions import Reconstruction, write_reconstructions
from step.io.tables import write_table
from step.io.truths import write_truth
from step.posterior.descriptors import heart
from step.posterior.descriptors.blood_pool import BloodPool, find_blood_pool, otsu_threshold
from step.posterior.quantities import COLUMNS, COLUMNS_OF_SAMPLES, NO_INTERVAL, QuantitiesSettings, quantities_of_files

PIXEL_MM = 2.5
SETTINGS = QuantitiesSettings(display="unit_range", geometry={}, descriptor="heart", interval=0.9)


def beating(seed: int, level: float = 0.35) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Return a heart (time, y, x), the area of its left ventricle's pool (time,), pixels, and its centre (y, x)."""
    generator = np.random.default_rng(seed)
    patient = sample_patient(generator)
    state = contraction(patient.beat, 12)
    grid = make_grid((64, 64), PIXEL_MM)
    video = paint_short_axis(grid, patient, paint_torso(grid, patient, level, generator), level, state, generator)
    inner, _ = ventricle_radii(patient, level, state)
    y, x = (at / PIXEL_MM + 32 for at in patient.heart.centre_mm)
    return video / video.max(), np.pi * (inner / PIXEL_MM) ** 2, (y, x)


@pytest.mark.slow
def test_the_blood_is_found_in_the_left_ventricle_and_its_ejected_part_is_the_anatomy_s():
    found, ejected = [], []
    for seed in range(24):
        video, area, centre = beating(seed)
        pool = find_blood_pool(video + 0.01 * np.random.default_rng(seed).standard_normal(video.shape))
        assert pool is not None
        away = np.hypot(*np.subtract(np.argwhere(pool.region).mean(axis=0), centre))
        found.append(away < np.sqrt(area.max() / np.pi) / 2)
        if found[-1]:
            areas = pool.areas(video)
            ejected.append((1 - areas.min() / areas.max()) - (1 - area.min() / area.max()))
    assert np.mean(found) >= 0.9
    # Papillary muscles, which the anatomy's area has and the blood has not, keep their size while the pool shrinks.
    assert np.median(ejected) == pytest.approx(0.03, abs=0.05)
    assert np.std(ejected) < 0.06


@pytest.mark.slow
def test_the_wall_thickens_as_the_anatomy_s_does():
    errors, thickness, true = [], [], []
    for seed in range(24):
        video, area, centre = beating(seed)
        pool = find_blood_pool(video + 0.01 * np.random.default_rng(seed).standard_normal(video.shape))
        if np.hypot(*np.subtract(np.argwhere(pool.region).mean(axis=0), centre)) > np.sqrt(area.max() / np.pi) / 2:
            continue
        patient = sample_patient(np.random.default_rng(seed))
        inner, outer = ventricle_radii(patient, 0.35, contraction(patient.beat, 12))
        walls, found = (outer - inner) / PIXEL_MM, pool.wall_thickness(video[None])[0]
        diastole, systole = area.argmax(), area.argmin()
        errors.append(found[systole] / found[diastole] - walls[systole] / walls[diastole])
        thickness.append(found[diastole])
        true.append(walls[diastole])
    assert len(errors) > 20
    assert np.median(errors) == pytest.approx(0, abs=0.04)
    assert np.std(errors) < 0.15  # of a thickening of 0.28 to 0.70
    assert np.median(np.subtract(thickness, true)) == pytest.approx(
        0.25, abs=0.25
    )  # pixels: folds and papillary muscles


def test_a_wall_that_is_nowhere_has_no_thickness():
    disc = (np.hypot(*(np.indices((32, 32)) - 15.5)) < 6).astype(float)
    pool = BloodPool(disc > 0, muscle=0.4, blood=1.0)
    assert np.isnan(pool.wall_thickness(np.where(disc > 0, 1.0, 0.0)[None, None])).all()  # black around the blood
    ring = np.where(np.hypot(*(np.indices((32, 32)) - 15.5)) < 10, 0.4, 0.0)
    assert pool.wall_thickness(np.where(disc > 0, 1.0, ring)[None, None])[0, 0] == pytest.approx(4, abs=0.6)


def test_noise_and_constant_frames_have_no_pool():
    assert find_blood_pool(np.ones((4, 32, 32))) is None
    assert otsu_threshold(np.ones(9)) is None
    assert otsu_threshold(np.array([0.0] * 50 + [1.0] * 50)) == pytest.approx(0.5, abs=0.5)
    still = np.repeat(beating(1)[0][:1], 5, axis=0)
    assert find_blood_pool(still) is None  # nothing beats


def test_the_truth_has_no_part_in_where_the_ventricle_is_looked_for():
    samples = np.stack([beating(3)[0], beating(3)[0] * 0.98])
    with_truth, other_truth = (heart.ventricle(samples, truth) for truth in (samples[0], beating(5)[0]))
    for name, quantity in with_truth.items():
        np.testing.assert_array_equal(quantity.values, other_truth[name].values)
    assert with_truth["ejection_fraction"].truth == pytest.approx(with_truth["ejection_fraction"].values[0])


@pytest.fixture
def files(tmp_path):
    """Samples of two hearts, in two files, and their truths."""
    generator = np.random.default_rng(0)
    truths = {f"video{seed:03d}": beating(seed)[0][:, None].astype(np.float32) for seed in (2, 6)}
    paths = []
    for part in range(2):
        noisy = [
            Reconstruction(
                name, np.stack([true + 0.02 * generator.standard_normal(true.shape) for _ in range(3)]), trace={}
            )
            for name, true in truths.items()
        ]
        paths.append(tmp_path / f"samples{part}.h5")
        write_reconstructions(paths[-1], noisy, {})
    for name, true in truths.items():
        write_truth(tmp_path / f"{name}.h5", true, {})
    return paths, [tmp_path / f"{name}.h5" for name in truths]


def tables_of(rows, samples, folder):
    table, values = folder / "table.csv", folder / "values.csv"
    write_table(table, rows, COLUMNS)
    write_table(values, samples, COLUMNS_OF_SAMPLES)
    return read_quantities(table, values)


@pytest.mark.slow
def test_each_video_has_its_quantities_and_whether_the_truth_is_inside(files, tmp_path):
    rows, samples = quantities_of_files(*files, SETTINGS)
    of_video = [row for row in rows if row["video"] == "video002"]
    assert [row["quantity"] for row in of_video[-4:]] == [
        "end_diastolic_area",
        "end_systolic_area",
        "ejection_fraction",
        "wall_thickening",
    ]
    assert [row["frame"] for row in of_video[:12]] == list(range(12))
    assert {row["samples"] for row in rows} == {6}
    for row in rows:
        assert row["inside"] == (row["low"] <= row["truth"] <= row["high"])
    assert len(samples) == 2 * (12 + 4) * 6
    figure = plot_quantities({"step_joint": tables_of(rows, samples, tmp_path)})
    titles = [axes.get_title() for axes in figure.axes]
    assert sum(f"of {2}" in title for title in titles) == 4
    figure.canvas.draw()


@pytest.mark.slow
def test_recalibrated_intervals_are_wider_and_say_by_how_much(files):
    plain, _ = quantities_of_files(*files, SETTINGS)
    wider, _ = quantities_of_files(*files, SETTINGS, {"ejection_fraction": 3.0})
    for one, other in zip(plain, wider, strict=True):
        factor = 3 if one["quantity"] == "ejection_fraction" else 1
        assert other["factor"] == (3.0 if factor == 3 else "")
        assert other["high"] - other["low"] == pytest.approx(factor * (one["high"] - one["low"]))
        assert (other["mean"], other["deviation"]) == pytest.approx((one["mean"], factor * one["deviation"]))


@pytest.mark.slow
def test_without_truths_there_is_nothing_inside_and_samples_are_shown(files, tmp_path):
    rows, samples = quantities_of_files(files[0], [], SETTINGS)
    assert {row["inside"] for row in rows} == {""}
    one = tables_of(
        [row for row in rows if row["video"] == "video002"],
        [row for row in samples if row["video"] == "video002"],
        tmp_path,
    )
    assert one.values("ejection_fraction").shape == (6, 1)
    assert one.values("blood_area").shape == (6, 12)
    plot_quantities({"step_joint": one}).canvas.draw()


def test_a_video_without_its_truth_is_refused(files):
    with pytest.raises(InputError, match="video002 has no truth among those of video006"):
        quantities_of_files(files[0], files[1][1:], SETTINGS)


def test_videos_without_a_quantity_are_left_out_and_counted(files, tmp_path, caplog):
    rows, samples = quantities_of_files(files[0], [], SETTINGS.model_copy(update={"descriptor": "general"}))
    assert (rows, samples) == ([], [])
    assert "2 of 2 videos have nothing that could be measured: video002, video006" in caplog.text
    plot_quantities({"step_joint": tables_of(rows, samples, tmp_path)}).canvas.draw()


@pytest.mark.slow
def test_a_ring_turns_with_a_probability(files, tmp_path):
    azimuth = np.arctan2(*(np.indices((24, 24)) - 11.5)[::-1])
    radius = np.hypot(*(np.indices((24, 24)) - 11.5))
    ring = np.exp(-((radius - 6) ** 2) / 4)

    def turning(rate):
        turned = azimuth - np.deg2rad(rate) * np.arange(16)[:, None, None]
        return (ring * (1 + 0.4 * np.cos(2 * turned)))[:, None].astype(np.float32)

    samples = np.stack([turning(rate) for rate in (15, 16, 14, -15)])
    write_reconstructions(tmp_path / "ring.h5", [Reconstruction("video000", samples, {})], {})
    write_truth(tmp_path / "video000.h5", turning(15), {})
    settings = SETTINGS.model_copy(update={"descriptor": "ring", "geometry": {"field_of_view_uas": 120.0}})
    rows, values = quantities_of_files([tmp_path / "ring.h5"], [tmp_path / "video000.h5"], settings)
    named = {row["quantity"]: row for row in rows}
    probability = named["counter_clockwise"]["mean"]
    assert probability in (0.25, 0.75)  # three of four turn as the truth does
    assert (probability > 0.5) == named["counter_clockwise"]["truth"]
    assert named["diameter"]["mean"] == pytest.approx(2 * 6 * 120 / 24, rel=0.05)
    plot_quantities({"step_joint": tables_of(rows, values, tmp_path)}).canvas.draw()
    # With weights it is the sum of those that turn so.
    log_weights = np.log([0.2, 0.2, 0.2, 0.4])
    write_reconstructions(tmp_path / "weighted.h5", [Reconstruction("video000", samples, {}, log_weights)], {})
    rows, _ = quantities_of_files([tmp_path / "weighted.h5"], [tmp_path / "video000.h5"], settings)
    named = {row["quantity"]: row for row in rows}
    assert named["counter_clockwise"]["mean"] == pytest.approx(0.6 if probability > 0.5 else 0.4)
    assert named["diameter"]["effective_samples"] == pytest.approx(1 / (3 * 0.2**2 + 0.4**2))


@pytest.mark.slow
def test_weights_that_collapsed_leave_no_interval_and_the_log_says_so(files, tmp_path, caplog):
    truth = beating(2)[0][:, None].astype(np.float32)
    samples = np.stack([truth * share for share in (1, 0.97, 1.02)])
    one_start = Reconstruction("video002", samples, {}, np.log([0.3, 0.3, 0.4]), np.zeros(3, int))
    write_reconstructions(tmp_path / "collapsed.h5", [one_start], {})
    rows, values = quantities_of_files([tmp_path / "collapsed.h5"], [files[1][0]], SETTINGS)
    assert {row["interval"] for row in rows} == {NO_INTERVAL}
    assert [row["effective_samples"] for row in rows] == pytest.approx([1] * len(rows))
    assert {row["inside"] for row in rows} == {""}
    assert "the weights cannot be trusted: 1.0 effective samples have no interval" in caplog.text
    plot_quantities({"step_weighted": tables_of(rows, values, tmp_path)}).canvas.draw()
