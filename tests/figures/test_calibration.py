"""The picture of calibration: the numbers of the tables, the verdict in words, and what is expected next to them."""

import argparse

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from step.cli.stages import open_stage
from step.config.calibration import Judgement
from step.errors import InputError
from step.figures.calibration import plot_calibration, read_calibration
from step.io.tables import read_table, write_table
from step.posterior.calibration import judge_video
from step.posterior.verdict import CONSISTENT, OVER_CONFIDENT, tabulate

STAGE = open_stage("plot calibration")

JUDGEMENT = Judgement(
    bright_fraction=0.1, interval=0.9, significance=0.01, resamples=1500, reference_points=5, spread_bins=4
)


def write_tables(folder, name: str, width: float, n_videos: int = 8) -> list:
    """Write the tables of samples so many times as wide as the truth varies."""
    generator = np.random.default_rng(0)
    scales = np.array([1, *[width] * 7])[:, None, None, None]
    videos = [0.5 + 0.05 * scales * generator.normal(size=(8, 3, 6, 6)) for _ in range(n_videos)]
    means = np.stack([members.mean(axis=0) for members in videos])
    judged = [
        judge_video(members, generator.normal(size=8), np.delete(means, number, axis=0), JUDGEMENT, number)
        for number, members in enumerate(videos)
    ]
    files = [folder / f"{name}.csv", folder / f"{name}-ranks.csv"]
    for file, rows in zip(files, tabulate(judged, JUDGEMENT, 0), strict=True):
        write_table(file, rows)
    return files


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, list]:
    folder = tmp_path_factory.mktemp("tables")
    return {"bcs": write_tables(folder, "bcs", 0.5), "step_joint": write_tables(folder, "step_joint", 1.0)}


@pytest.fixture
def figure(tables) -> Figure:
    return plot_calibration([read_calibration(method, *files) for method, files in tables.items()])


def run(folder, methods: dict[str, list]) -> None:
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    words = [word for method, files in methods.items() for word in ("--method", method, *map(str, files))]
    outputs = ["--output", str(folder / "c.png"), str(folder / "c.pdf"), "--data", str(folder / "c.csv")]
    STAGE.run(parser.parse_args([*words, *outputs]), STAGE.module.Settings())


@pytest.mark.slow
def test_each_method_has_a_column_beneath_its_verdict(figure):
    columns = np.array(figure.axes[:12]).reshape(6, 2)
    assert [axes.get_title() for axes in columns[0]] == ["BCS", "STeP (image-video joint)"]
    verdicts = [[text.get_text() for text in axes.texts] for axes in columns[0]]
    assert [texts[0] for texts in verdicts] == [OVER_CONFIDENT, CONSISTENT]
    assert "error / spread: 1.8" in verdicts[0][1]
    assert "CRPS: " in verdicts[0][1]
    assert "uneven ranks: pixels" in verdicts[0][1]
    assert "uneven ranks: none" in verdicts[1][1]


@pytest.mark.slow
def test_axes_say_what_they_are_with_units_and_the_caption_says_how_it_was_judged(figure):
    labels = {axes.get_xlabel() for axes in figure.axes} | {axes.get_ylabel() for axes in figure.axes}
    assert {"nominal coverage of central interval", "rms spread [brightness]", "rms error\n[brightness]"} <= labels
    assert {"samples that are darker than the truth", "credibility of region (TARP)"} <= labels
    assert "share of videos\n[expected share]" in labels
    caption = figure.get_supxlabel()
    assert "8 videos, 7 samples of each" in caption
    assert "exceeds 10 % of its maximum" in caption
    assert "Bars: 90 %" in caption
    assert "at the level 0.01" in caption


@pytest.mark.slow
def test_the_curves_are_the_numbers_of_the_tables(figure, tables):
    coverage = [row for row in read_table(tables["bcs"][0]) if row["statistic"] == "coverage"]
    plotted = figure.axes[2].lines[1]
    assert plotted.get_xdata() == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert plotted.get_ydata() == pytest.approx([0, *(float(row["value"]) for row in coverage), 1])
    tiles = figure.axes[6].images[0]
    ranks = [row for row in read_table(tables["bcs"][1]) if row["quantity"] == "motion"]
    assert tiles.get_array()[3].tolist() == pytest.approx([8 * float(row["share"]) for row in ranks])
    # What is expected is the middle of the colours.
    assert np.mean(tiles.get_clim()) == 1


@pytest.mark.slow
def test_the_stage_writes_pictures_and_the_numbers_of_all_methods(tables, tmp_path):
    run(tmp_path, tables)
    assert imread(tmp_path / "c.png").shape[2] == 4
    assert (tmp_path / "c.pdf").exists()
    rows = read_table(tmp_path / "c.csv")
    assert list(dict.fromkeys(row["method"] for row in rows)) == ["bcs", "step_joint"]
    shares = [
        row for row in rows if (row["method"], row["statistic"], row["quantity"]) == ("bcs", "rank_share", "pixel")
    ]
    assert [row["value"] for row in shares] == [row["share"] for row in read_table(tables["bcs"][1])[:8]]
    assert [row["level"] for row in shares] == [str(rank) for rank in range(8)]


def test_a_single_video_is_plotted_without_tarp(tmp_path):
    files = write_tables(tmp_path, "bis", 1.0, n_videos=1)
    figure = plot_calibration([read_calibration("bis", *files)])
    figure.canvas.draw()
    assert figure.axes[0].texts[0].get_text() == "too few videos to tell"
    assert "needs two videos" in figure.axes[4].texts[0].get_text()


def test_tables_that_lack_something_are_refused(tables, tmp_path):
    with pytest.raises(InputError, match="bcs has 1 files; give its table of statistics and that of its ranks"):
        run(tmp_path, {"bcs": tables["bcs"][:1]})
    with pytest.raises(InputError, match=r"bcs-ranks\.csv has no statistic; calibrate again"):
        run(tmp_path, {"bcs": tables["bcs"][::-1]})
    write_table(tmp_path / "empty.csv", [])
    with pytest.raises(InputError, match=r"empty\.csv has no statistic"):
        read_calibration("bcs", tmp_path / "empty.csv", tables["bcs"][1])
