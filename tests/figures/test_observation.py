"""Picture and video of a real observation."""

import argparse
from dataclasses import replace
from itertools import pairwise

import imageio_ffmpeg
import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread
from step.cli.stages import open_stage
from step.errors import InputError
from step.figures import movies, panels
from step.figures.observation import animate_observation, plot_observation
from step.figures.posterior import (
    Grid,
    Posterior,
    frames_with_data,
    read_grid,
    read_posterior,
    relative_light_curve,
    summarise_light_curves,
)
from step.io.hdf5 import create_hdf5
from step.io.reconstructions import (
    Quantiles,
    Reconstruction,
    write_measurement,
    write_reconstructions,
    write_summary,
)

STAGE = open_stage("plot observation")

N_SAMPLES, N_FRAMES, N_PIXELS = 5, 8, 32
TIMES_H = 12.5 + np.arange(N_FRAMES) * 102 / 3600
ATTRIBUTES = {"frame_times": TIMES_H, "frame_time_unit": "UTC h", "pixel_size": 4.0, "pixel_unit": "uas"}


@pytest.fixture
def samples() -> np.ndarray:
    """Return five videos of brightness between -1.2 and 1.2, which is partly out of range."""
    return np.random.default_rng(0).uniform(-1.2, 1.2, (N_SAMPLES, N_FRAMES, 1, N_PIXELS, N_PIXELS)).astype(np.float32)


@pytest.fixture
def files(samples, tmp_path) -> dict:
    """Return an observation whose frames 2 and 3 have no data, its summary and its reconstructions in two files."""
    sigma = np.ones((N_FRAMES, 3))
    sigma[2:4] = 0
    write_measurement(tmp_path / "sgra.h5", {"sigma": sigma}, ATTRIBUTES)
    return {"measurement": tmp_path / "sgra.h5", **write_posterior(samples, tmp_path)}


def write_posterior(samples: np.ndarray, folder) -> dict:
    parts = [folder / "samples0.h5", folder / "samples1.h5"]
    write_reconstructions(parts[0], [Reconstruction("sgra", samples[:2], {})], {})
    write_reconstructions(parts[1], [Reconstruction("sgra", samples[2:], {})], {})
    with create_hdf5(folder / "summary.h5") as file:
        file["mean"], file["std"] = samples.mean(axis=0), samples.std(axis=0)
    return {"summary": folder / "summary.h5", "reconstructions": parts}


@pytest.fixture
def posterior(files) -> Posterior:
    return read_posterior(**files, display="unit_range")


def test_brightness_is_half_of_what_a_video_is_above_dark(posterior, samples):
    assert np.allclose(posterior.mean, np.clip((samples.mean(axis=0)[:, 0] + 1) / 2, 0, 1), atol=1e-6)
    assert np.allclose(posterior.samples, np.clip((samples[:4, :, 0] + 1) / 2, 0, 1), atol=1e-6)
    assert np.allclose(posterior.std, samples.std(axis=0)[:, 0] / 2)
    assert posterior.light_curves.shape == (N_SAMPLES, N_FRAMES)


def test_magnitudes_are_relative_to_the_mean_videos_maximum(samples, files, tmp_path):
    videos = np.concatenate([3 * samples, 4 * samples], axis=2)
    files |= write_posterior(videos, tmp_path)
    posterior = read_posterior(**files, display="magnitude")
    magnitude = 5 * np.abs(samples.mean(axis=0)[:, 0])
    assert np.allclose(posterior.mean, magnitude / magnitude.max(), atol=1e-6)
    assert np.allclose(posterior.std, 5 * samples.std(axis=0)[:, 0] / magnitude.max(), atol=1e-6)
    assert np.allclose(posterior.samples[3], np.clip(5 * np.abs(samples[3, :, 0]) / magnitude.max(), 0, 1), atol=1e-6)


def test_a_light_curve_is_relative_to_its_time_mean_and_nothing_of_it_is_clipped():
    video = np.full((3, 2, 4, 4), 0.1, np.float32)
    video[1] *= 3
    assert np.allclose(relative_light_curve(video, "magnitude"), [0.6, 1.8, 0.6])
    bright = 2 * np.array([0.1, 0.2, 0.6], np.float32)[:, None, None, None] * np.ones((3, 1, 4, 4), np.float32) - 1
    assert np.allclose(relative_light_curve(bright, "unit_range"), [1 / 3, 2 / 3, 2])
    with pytest.raises(InputError, match="dark everywhere"):
        relative_light_curve(np.full((3, 1, 4, 4), -1, np.float32), "unit_range")


def test_the_band_lies_between_the_quantiles():
    curves = np.random.default_rng(2).permutation(np.arange(101.0))[:, None] * np.ones(4)
    summary = summarise_light_curves(curves)
    assert np.allclose(summary.low, 10)
    assert np.allclose(summary.high, 90)
    assert np.allclose(summary.mean, 50)


def test_frames_with_data_have_a_sigma_or_a_line():
    assert frames_with_data({"sigma": np.array([[0, 0.1], [0, 0]])}).tolist() == [True, False]
    mask = np.array([[False, False], [True, False]])
    assert frames_with_data({"kspace": np.ones((2, 2, 2)), "mask": mask}).tolist() == [False, True]
    assert frames_with_data({"other": np.zeros((3, 2))}).tolist() == [True] * 3


@pytest.mark.slow
def test_the_picture_has_a_row_for_mean_spread_and_three_samples(posterior):
    shown = [0, 1, 3, 4, 6, 7]
    figure = plot_observation(posterior, "unit_range")
    grid = np.reshape([axes for axes in figure.axes if axes.images][: 5 * 6], (5, 6))
    plotted = np.array([[axes.images[0].get_array() for axes in row] for row in grid])
    assert np.array_equal(plotted[0], posterior.mean[shown])
    assert np.array_equal(plotted[1], posterior.std[shown])
    assert np.array_equal(plotted[2:], posterior.samples[:3, shown])
    assert [row[0].get_ylabel().replace("\n", " ") for row in grid] == [
        "posterior mean",
        "posterior standard deviation",
        *(f"sample {n}" for n in (1, 2, 3)),
    ]
    assert [axes.get_title() for axes in grid[0, :3]] == ["12:30:00 UTC", "12:31:42 UTC", "12:35:06 UTC\n(no data)"]
    assert {axes.images[0].get_clim() for axes in np.delete(grid, 1, axis=0).flat} == {(0, 1)}
    assert {axes.images[0].get_clim() for axes in grid[1]} == {(0, posterior.std.max())}
    assert {axes.images[0].get_cmap().name for axes in grid[1]} == {"viridis"}
    assert grid[0, 0].images[0].get_cmap().name == "afmhot"


@pytest.mark.slow
def test_the_picture_has_the_light_curves_band_and_shades_frames_without_data(posterior):
    figure = plot_observation(posterior, "unit_range")
    axes = next(axes for axes in figure.axes if axes.get_xlabel() == "UTC")
    summary = summarise_light_curves(posterior.light_curves)
    assert np.array_equal(axes.lines[0].get_ydata(), summary.mean)
    band = axes.collections[0].get_paths()[0].vertices
    for time_h, low, high in zip(TIMES_H, summary.low, summary.high, strict=True):
        assert {low, high} <= set(band[band[:, 0] == time_h, 1])
    [gap] = axes.patches
    assert gap.get_x() == pytest.approx(TIMES_H[2] - 51 / 3600)
    assert gap.get_width() == pytest.approx(2 * 102 / 3600)
    assert "10 to 90 % of 5 samples" in [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.slow
def test_the_pictures_scale_bar_is_as_long_as_its_label_says(posterior):
    axes = plot_observation(posterior, "unit_range").axes[0]
    begin, end = axes.lines[0].get_xdata()
    assert axes.texts[0].get_text() == "50 µas"
    assert (end - begin) * 4.0 == pytest.approx(50)
    # In data coordinates of the picture a pixel of the video is one unit wide.
    left, right = axes.get_xlim()
    assert right - left == N_PIXELS


@pytest.mark.slow
def test_picture_and_video_say_that_the_prior_fills_in(posterior, monkeypatch):
    figure = plot_observation(posterior, "unit_range")
    assert any("the prior fills in" in sub._supxlabel.get_text() for sub in figure.subfigs if sub._supxlabel)
    captions = []
    monkeypatch.setattr("step.figures.observation.panel_video", lambda *arguments: captions.append(arguments[-1]))
    animate_observation(posterior, "unit_range")
    millimetres = replace(posterior, grid=replace(posterior.grid, pixel_unit="mm"))
    animate_observation(millimetres, "unit_range")
    assert all("the prior fills in" in caption for caption in captions)
    assert ["North" in caption for caption in captions] == [True, False]


@pytest.mark.slow
def test_the_video_shows_mean_spread_and_four_samples_under_a_clock(posterior, monkeypatch):
    told = []
    monkeypatch.setattr(panels, "plot_clock", lambda frame, text: told.append(text))
    played = animate_observation(posterior, "unit_range")
    assert told[:3] == ["12:30:00 UTC", "12:31:42 UTC", "12:33:24 UTC, no data"]
    side, step = 384, 384 + panels.MARGIN
    assert played.shape[::3] == (N_FRAMES, 3)
    assert played.shape[2] == panels.MARGIN + 3 * step
    tops = [panels.MARGIN + panels.CLOCK_HEIGHT + panels.TITLE_HEIGHT]
    tops.append(tops[0] + side + panels.FOOT_HEIGHT + panels.TITLE_HEIGHT)
    afmhot, viridis = (matplotlib.colormaps[name] for name in ("afmhot", "viridis"))
    videos = [posterior.mean, posterior.std / posterior.std.max(), *posterior.samples]
    for number, video in enumerate(videos):
        top, left = tops[number // 3], panels.MARGIN + number % 3 * step
        tile = played[5, top : top + side, left : left + side].reshape(N_PIXELS, 12, N_PIXELS, 12, 3)
        # The bar hides the lower edge of the first; cubic interpolation changes the middle of a pixel a little.
        middle = tile[:24, 5:7, :, 5:7].mean(axis=(1, 3))
        expected = (viridis if number == 1 else afmhot)(video[5, :24], bytes=True)[..., :3]
        assert np.abs(middle - expected).mean() < 12


@pytest.mark.parametrize(("unit", "size", "length"), [("uas", 4.0, 50), ("mm", 1.5, 10), ("pixel", 1.0, 10)])
def test_the_videos_scale_bar_is_as_long_as_its_label_says(unit, size, length):
    dark = np.zeros((2, N_PIXELS, N_PIXELS))
    grid = Grid(np.arange(2.0), "frame", size, unit, np.ones(2, bool))
    video = animate_observation(Posterior(grid, dark, dark, dark[None], np.ones((1, 2))), "magnitude")
    bottom = panels.MARGIN + panels.CLOCK_HEIGHT + panels.TITLE_HEIGHT + 384
    row = video[0, bottom - panels.MARGIN - 2, panels.MARGIN : panels.MARGIN + 384, 0]
    assert (row == 255).sum() == round(length / size * 384 / N_PIXELS)
    assert set(row.tolist()) == {0, 255}


@pytest.mark.slow
def test_a_clock_is_written_above_each_frame(posterior):
    video = animate_observation(posterior, "unit_range")
    heads = video[:, : panels.MARGIN + panels.CLOCK_HEIGHT]
    assert all((head < 128).any() for head in heads)
    assert all((one != two).any() for one, two in pairwise(heads))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frame_time_unit": "h"}, r"frame_time_unit 'h'; the units are \['UTC h', 's', 'frame'\]"),
        ({"pixel_unit": "arcsec"}, "pixel_unit 'arcsec'"),
        ({"frame_times": TIMES_H[:3]}, "has 3 frame_times and 8 measured frames, the videos 8 frames"),
    ],
)
def test_an_observation_that_does_not_fit_is_refused(files, change, message):
    files["measurement"].unlink()
    write_measurement(files["measurement"], {"sigma": np.ones((N_FRAMES, 3))}, ATTRIBUTES | change)
    with pytest.raises(InputError, match=message):
        read_posterior(**files, display="unit_range")


def test_what_belongs_to_something_else_is_refused(files, samples, tmp_path):
    write_measurement(tmp_path / "video000.h5", {"sigma": np.ones((N_FRAMES, 3))}, {})
    with pytest.raises(InputError, match="has no attribute frame_times"):
        read_grid(tmp_path / "video000.h5")
    write_reconstructions(tmp_path / "two.h5", [Reconstruction(name, samples, {}) for name in ("a", "b")], {})
    with pytest.raises(InputError, match=r"are of \['a', 'b'\]; give those of one observation"):
        read_posterior(files["measurement"], files["summary"], [tmp_path / "two.h5"], "unit_range")
    write_reconstructions(tmp_path / "short.h5", [Reconstruction("sgra", samples[:, :4], {})], {})
    with pytest.raises(InputError, match="summarise these samples again"):
        read_posterior(files["measurement"], files["summary"], [tmp_path / "short.h5"], "unit_range")


@pytest.mark.slow
def test_the_stage_writes_picture_and_video(files, tmp_path, monkeypatch):
    monkeypatch.setattr(movies, "PASSES", 1)
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    files |= {"output": [tmp_path / "sgra.png", tmp_path / "sgra.pdf"], "movie": tmp_path / "sgra.mp4"}
    words = []
    for option, value in files.items():
        words += [f"--{option}", *map(str, value if isinstance(value, list) else [value])]
    STAGE.run(parser.parse_args(words), STAGE.module.Settings(display="unit_range"))
    assert imread(tmp_path / "sgra.png").shape == (1610, 1660, 4)
    assert (tmp_path / "sgra.pdf").read_bytes().startswith(b"%PDF")
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "sgra.mp4"))
    assert frames == N_FRAMES


def test_a_spread_that_was_recalibrated_is_named_so(files, samples, tmp_path, monkeypatch):
    captions = []
    monkeypatch.setattr("step.figures.observation.panel_video", lambda *arguments: captions.append(arguments[-1]))
    quantiles = Quantiles(np.array([0.1, 0.9]), np.zeros((2, N_FRAMES, N_PIXELS, N_PIXELS)), "value")
    videos = {"mean": samples.mean(axis=0), "std": samples.std(axis=0)}
    for factor in (1.0, 1.84):
        write_summary(tmp_path / f"{factor}.h5", videos, quantiles, factor)
        found = read_posterior(files["measurement"], tmp_path / f"{factor}.h5", files["reconstructions"], "unit_range")
        animate_observation(found, "unit_range")
    assert ["1.84 times as far from the mean" in caption for caption in captions] == [False, True]
