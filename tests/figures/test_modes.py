"""The picture of modes: which videos, which numbers, which way they turn, and what is said of each."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from step.figures.baselines import ARRAYS
from step.figures.mode_plots import animate_modes, plot_modes
from step.figures.modes import (
    ModesFigureSettings,
    ModesPicture,
    mean_and_spread,
    say_number,
    see_modes,
    with_spread,
    write_modes_data,
)
from step.io.modes import Modes

N_FRAMES, SIDE, N_BASELINES = 16, 32, 6
CADENCE_S, RATE_DEG = 408.0, 9.0  # degree per frame
LOOK = ModesFigureSettings(
    display="unit_range",
    descriptor="ring",
    geometry={"field_of_view_uas": 128.0, "cadence_s": CADENCE_S},
    interval=0.95,
)
MRI_LOOK = ModesFigureSettings(display="magnitude", descriptor="heart", geometry={}, interval=0.95)
SOURCE = Path("video000.h5")


def turning_ring(rate_deg: float) -> np.ndarray:
    """Return a ring (time, y, x) with a bright spot that turns counter-clockwise by `rate_deg` each frame."""
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    azimuth = np.arctan2(-x, -y)
    profile = np.exp(-((np.hypot(y, x) - 8) ** 2) / (2 * 2.0**2))
    turned = np.deg2rad(40 + rate_deg * np.arange(N_FRAMES))
    return np.stack([profile * (0.35 + 0.6 * np.exp(3 * (np.cos(azimuth - a) - 1))) for a in turned])


def vlbi_arrays() -> dict[str, np.ndarray]:
    """Return baselines that turn over time, each measured but in frame 3."""
    angle = 0.15 * np.arange(N_FRAMES)[:, None] + np.arange(N_BASELINES)
    length = 1e9 * np.linspace(1, 7, N_BASELINES)
    sigma = np.ones((N_FRAMES, N_BASELINES))
    sigma[3] = 0
    time_h = 10.85 + np.arange(N_FRAMES)[:, None] * CADENCE_S / 3600 + np.zeros(N_BASELINES)
    arrays = dict.fromkeys(ARRAYS, sigma)
    uv = np.stack([length * np.cos(angle), length * np.sin(angle)], axis=-1)
    return arrays | {"uv": uv, "time_h": time_h, "stations": np.zeros((N_FRAMES, N_BASELINES, 2), int)}


def modes_of(labels: np.ndarray, **others: object) -> Modes:
    """Return modes 0, 1, ... of `labels`, which turn by `RATE_DEG` in alternate senses."""
    generator, n_modes = np.random.default_rng(0), labels.max() + 1
    shares = np.bincount(labels) / len(labels)
    rate = RATE_DEG * 3600 / CADENCE_S
    values = {
        "labels": labels,
        "representatives": np.array([np.flatnonzero(labels == mode)[0] for mode in range(n_modes)]),
        "shares": shares,
        "share_low": shares - 0.1,
        "share_high": shares + 0.1,
        "misfits": 1.05 + 0.1 * labels + generator.normal(0, 0.01, len(labels)),
        "chi_squares": {},
        "features": {
            "radius": generator.normal(32, 1, len(labels)),
            "position_angle": (40 + 90 * labels + generator.normal(0, 5, len(labels))) % 360,
            "rotation_rate": rate * (-1.0) ** labels + generator.normal(0, 4, len(labels)),
        },
        "units": {"radius": "uas", "position_angle": "deg", "rotation_rate": "deg/h"},
        "truth_features": {"radius": 31.0, "position_angle": 44.0, "rotation_rate": rate},
        "reduced": np.stack([3.0 * labels, 0.0 * labels], axis=1) + generator.normal(0, 0.5, (len(labels), 2)),
        "truth_reduced": np.array([0.2, 0.1]),
        "scores": np.array([300.0, 240.0, 251.0, 270.0]),
        "stability": np.array([1.0, 0.97, 0.6, 0.5]),
        "attributes": {"criterion": "2 modes among 20 samples, by the lowest BIC of mixtures of 1 to 4 Gaussians"},
    }
    return Modes(**(values | others))


LABELS = np.repeat([0, 1], [14, 6])


@pytest.fixture(scope="module")
def picture() -> ModesPicture:
    """Return a posterior of a ring that turns counter-clockwise, with a mode that does and one that does not."""
    videos = [turning_ring(RATE_DEG), turning_ring(-RATE_DEG)]
    return see_modes(modes_of(LABELS), videos, turning_ring(RATE_DEG), (vlbi_arrays(), SOURCE), LOOK)


@pytest.fixture(scope="module")
def figure(picture) -> Figure:
    return plot_modes(picture)


def frame_axes(figure, picture) -> np.ndarray:
    """Return the axes of the frames (row, column) of the picture."""
    colours = {"unit_range": "afmhot", "magnitude": "gray"}[picture.display]
    shape = (SIDE, SIDE)
    of_frames = [
        axes
        for axes in figure.axes
        if axes.images and axes.images[0].get_array().shape == shape and axes.images[0].get_cmap().name == colours
    ]
    return np.reshape(of_frames, (len(picture.rows), len(picture.shown)))


def titled(figure, title: str):
    return next(axes for axes in figure.axes if axes.get_title() == title)


@pytest.mark.slow
def test_rows_are_the_truth_and_the_sample_in_the_middle_of_each_mode(picture, figure):
    assert [row.name for row in picture.rows] == ["truth", "mode1", "mode2"]
    plotted = frame_axes(figure, picture)
    assert picture.shown.tolist() == [0, 4, 8, 11, 15]
    for across, row in zip(plotted, picture.rows, strict=True):
        assert np.array_equal([axes.images[0].get_array() for axes in across], row.video[picture.shown])
    assert np.allclose(picture.rows[2].video, turning_ring(-RATE_DEG))


@pytest.mark.slow
def test_the_plotted_rotation_is_that_of_the_video_in_sense_and_size(picture, figure):
    rates = [row.rotation.rate_deg for row in picture.rows]
    assert np.allclose(rates, [RATE_DEG, RATE_DEG, -RATE_DEG], rtol=0.1)
    rows = frame_axes(figure, picture)
    for across, rate in zip(rows, rates, strict=True):
        [arrow] = [patch for patch in across[0].patches if isinstance(patch, FancyArrowPatch)]
        x, y = arrow._path_original.vertices.T - (SIDE - 1) / 2
        turned = np.rad2deg(np.diff(np.unwrap(np.arctan2(-x, -y)))).sum()
        assert turned == pytest.approx(4 * rate, abs=2)
        assert np.rad2deg(np.arctan2(-x[0], -y[0])) == pytest.approx(40, abs=12)  # it begins at the bright spot
        assert not across[-1].patches  # nothing follows the last frame


def test_a_rotation_counter_clockwise_climbs_in_the_course_and_its_line_follows_the_bright_spot(picture, figure):
    courses = [axes for axes in figure.axes if axes.get_ylabel() == "azimuth [°]"]
    for axes, row in zip(courses, picture.rows, strict=True):
        assert axes.images[0].origin == "lower"
        assert np.array_equal(axes.images[0].get_array(), row.course.T)
        line = axes.lines[0].get_ydata()
        spot = row.course.argmax(axis=1) * 360 / row.course.shape[1]
        away = (line - spot + 180) % 360 - 180
        assert np.nanmedian(np.abs(away)) < 12
        assert np.allclose(row.course.mean(axis=0), 0)
        assert np.sign(np.nanmedian(np.diff(line))) == np.sign(row.rotation.rate_deg)


def test_each_mode_says_its_share_misfit_and_rotation(picture):
    title, text = picture.rows[2].title, picture.rows[2].text
    assert title == "mode 2: 30 % of samples"
    assert text.splitlines()[0] == "95 % interval 20 % to 40 %"
    assert "data misfit 1.1" in text
    assert "6 of 6 turn clockwise" in text
    assert "rotation rate −7" in text
    assert "14 of 14 turn counter-clockwise" in picture.rows[1].text
    assert picture.rows[0].text.splitlines() == [
        "turns counter-clockwise",
        "radius 31 µas",
        "position angle 44°",
        "rotation rate 79.4°/h",
    ]


def test_samples_have_the_colours_of_their_modes_and_the_truth_a_star(picture, figure):
    axes = titled(figure, "samples, as they were clustered")
    one, two, truth = axes.collections
    assert np.array_equal(one.get_offsets(), picture.points[LABELS == 0])
    assert np.array_equal(two.get_offsets(), picture.points[LABELS == 1])
    assert np.array_equal(truth.get_offsets(), [[0.2, 0.1]])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["mode 1", "mode 2", "truth"]


def test_the_criterion_is_relative_to_one_mode_and_the_chosen_number_is_shaded(figure):
    shade, *bars = titled(figure, "support of their number").patches
    assert shade.get_x() + shade.get_width() / 2 == 2
    assert [bar.get_height() for bar in bars] == [0, -60, -49, -30]
    [stability] = [axes for axes in figure.axes if axes.get_ylabel().startswith("stability")]
    assert stability.lines[0].get_ydata().tolist() == [1, 0.97, 0.6, 0.5]


@pytest.mark.slow
def test_one_mode_is_said_plainly():
    one = modes_of(np.zeros(20, int))
    seen = see_modes(one, [turning_ring(RATE_DEG)], None, (vlbi_arrays(), SOURCE), LOOK)
    assert plot_modes(seen).get_suptitle() == "one mode found among 20 posterior samples"
    assert "interval" not in seen.rows[0].text  # all samples are of it
    assert [row.name for row in seen.rows] == ["mode1"]


@pytest.mark.slow
def test_of_more_modes_than_have_room_the_largest_are_shown():
    labels = np.repeat(np.arange(6), [7, 5, 3, 2, 2, 1])
    assert say_number(modes_of(labels)) == "6 modes found among 20 posterior samples, the 4 largest are shown"
    videos = [turning_ring(rate) for rate in (4, -6, 40, 0)]
    figure = plot_modes(see_modes(modes_of(labels), videos, None, (vlbi_arrays(), SOURCE), LOOK))
    axes = titled(figure, "samples, as they were clustered")
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["mode 1", "mode 2", "mode 3", "mode 4", "other modes", "truth"]


@pytest.mark.slow
def test_a_ring_at_rest_turns_neither_way():
    seen = see_modes(modes_of(LABELS), [turning_ring(0)] * 2, None, (vlbi_arrays(), SOURCE), LOOK)
    assert seen.rows[0].rotation.rate_deg == 0
    plot_modes(seen).canvas.draw()


def test_angles_are_averaged_around_the_circle():
    mean, spread = mean_and_spread(np.array([170.0, 190.0, 180.0, 180.0]), "deg")
    assert abs(mean) == pytest.approx(180)
    assert spread == pytest.approx(50**0.5)
    assert mean_and_spread(np.array([350.0, 10.0]), "deg") == pytest.approx((0, 10), abs=1e-9)
    assert mean_and_spread(np.array([350.0, 10.0]), "deg/h") == pytest.approx((180, 170))


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    [
        (1.0484, 0.0089, "1.0484 ± 0.0089"),
        (-77.512, 4.93, "−77.5 ± 4.9"),
        (1234.5, 321.0, "1234 ± 321"),
        (-0.01, 3.0, "0.0 ± 3.0"),
        (1.5, 0.0, "1.500 ± 0.000"),
        (2.345e-5, 1.2e-6, "2.35e-05 ± 1.2e-06"),
        (0.0, 0.0, "0.000 ± 0.000"),
    ],
)
def test_a_mean_has_the_digits_of_its_spread(mean, spread, text):
    assert with_spread(mean, spread) == text


def test_baselines_are_plotted_with_their_conjugates_and_frames_without_data_say_so(picture, figure):
    dots = titled(figure, "measured: baselines").collections[0].get_offsets()
    assert len(dots) == 2 * (N_FRAMES - 1) * N_BASELINES
    assert np.allclose(dots.mean(axis=0), 0)
    assert picture.grid.with_data.tolist() == [frame != 3 for frame in range(N_FRAMES)]
    assert np.allclose(np.diff(picture.grid.times), CADENCE_S / 3600)


@pytest.fixture(scope="module")
def heart() -> ModesPicture:
    """Return a posterior with one mode of a video that does not turn, measured in a quarter of the lines."""
    values = {"brightness": np.full(20, 0.25), "contraction_phase": np.full(20, 30.0)}
    described = {"features": values, "units": {"brightness": "", "contraction_phase": "deg"}}
    described |= {"truth_features": {"brightness": 0.25, "contraction_phase": 30.0}}
    reduced = {"reduced": np.zeros((20, 1)), "truth_reduced": np.zeros(1)}
    mask = np.zeros((N_FRAMES, SIDE), bool)
    mask[:, ::4] = True
    modes = modes_of(np.zeros(20, int), **described, **reduced)
    return see_modes(modes, [turning_ring(4)], turning_ring(5), ({"mask": mask}, SOURCE), MRI_LOOK)


@pytest.fixture(scope="module")
def heart_figure(heart) -> Figure:
    return plot_modes(heart)


@pytest.mark.slow
def test_a_heart_has_lines_and_a_slice_through_time_but_no_arrows(heart, heart_figure):
    lines = titled(heart_figure, "measured: 25 % of the lines (white)")
    assert lines.images[0].get_array().sum() == N_FRAMES * SIDE // 4
    assert np.array_equal(heart.rows[0].course, turning_ring(5)[:, :, heart.x])
    slice_ = titled(heart_figure, f"slice at x = {heart.x}")
    assert np.array_equal(slice_.images[0].get_array(), heart.rows[0].course.T)
    assert slice_.images[0].origin == "upper"
    assert slice_.get_ylim() == (SIDE - 0.5, -0.5)
    assert not any(isinstance(patch, FancyArrowPatch) for axes in heart_figure.axes for patch in axes.patches)
    assert "turn" not in heart.rows[1].text + heart.caption


def test_a_single_component_is_plotted_over_the_data_misfit(heart_figure):
    axes = titled(heart_figure, "samples, as they were clustered")
    assert axes.get_ylabel() == "data misfit"
    assert len(axes.collections) == 1


@pytest.mark.slow
def test_a_measurement_of_another_kind_is_said_to_have_nothing_to_show(heart):
    seen = see_modes(
        modes_of(LABELS), [turning_ring(4)] * 2, None, ({"other": np.zeros((N_FRAMES, 3))}, SOURCE), MRI_LOOK
    )
    [text] = titled(plot_modes(seen), "measured").texts
    assert "neither baselines" in text.get_text()


def test_the_video_has_truth_and_modes_with_their_senses(picture, heart, monkeypatch):
    shown = []
    monkeypatch.setattr("step.figures.mode_plots.panel_video", lambda *arguments: shown.append(arguments))
    animate_modes(picture)
    animate_modes(heart)
    (panels, n_columns, texts, bar, caption), of_heart = shown
    assert [panel.title for panel in panels] == [
        "truth, counter-clockwise",
        "mode 1: 70 % of samples, counter-clockwise",
        "mode 2: 30 % of samples, clockwise",
    ]
    assert [panel.frames is row.video for panel, row in zip(panels, picture.rows, strict=True)] == [True] * 3
    assert n_columns == 3
    assert texts[0] == "10:51:00 UTC"
    assert texts[3].endswith("no data")
    assert bar.pixels * 4 == pytest.approx(50)
    assert caption.startswith("2 modes found among 20 posterior samples.")
    assert "Arrow" not in caption
    assert [panel.title for panel in of_heart[0]] == ["truth", "mode 1: 100 % of samples"]


def test_the_data_are_what_is_plotted(picture, heart, tmp_path):
    write_modes_data(picture, tmp_path / "modes.npz")
    with np.load(tmp_path / "modes.npz") as data:
        assert data["rows"].tolist() == ["truth", "mode1", "mode2"]
        assert np.array_equal(data["frames"][2], picture.rows[2].video[[0, 4, 8, 11, 15]])
        assert np.array_equal(data["courses"][1], picture.rows[1].course)
        assert data["uv"].shape == ((N_FRAMES - 1) * N_BASELINES, 2)
        assert data["rotation_deg_per_frame"].shape == (3,)
        assert np.array_equal(data["truth_point"], [0.2, 0.1])
    write_modes_data(heart, tmp_path / "heart.npz")
    with np.load(tmp_path / "heart.npz") as data:
        assert data["mask"].shape == (N_FRAMES, SIDE)
        assert int(data["x"]) == heart.x
        assert "truth_point" not in data
