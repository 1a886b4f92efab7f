"""From metrics of the points of an axis to its table and its curve."""

import argparse

import numpy as np
import pytest
from matplotlib.image import imread
from step.cli.stages import open_stage
from step.errors import InputError
from step.figures.ablation import plot_ablation, read_curve
from step.io.tables import read_table, write_table
from step.metrics import catalogue

METRICS = tuple(metric.name for metric in catalogue.METRICS)

STAGE, TABLE = open_stage("plot ablation"), open_stage("table ablation")

HARDNESS = np.array([0.0, 3.0, 9.0])  # of three videos, the same for all points
GAIN = {"0": np.zeros(3), "10": np.array([1.0, 2.0, 3.0]), "100": np.array([2.0, 2.0, 2.0])}


def write_metrics(path, gains: np.ndarray, first_video: int = 0) -> None:
    """Write what the evaluate stage writes: without LPIPS, and with columns next to the metrics."""
    write_table(
        path,
        [
            {"video": f"video{first_video + number:03d}", **dict.fromkeys(METRICS, 20 + HARDNESS[number] + gain)}
            | {"lpips": None, "data_misfit": 1 - 0.1 * gain, "optical_flow": "", "remark": "no LPIPS"}
            for number, gain in enumerate(gains)
        ],
    )


def run(stage, *words: object, **settings: object) -> None:
    parser = argparse.ArgumentParser()
    stage.add_arguments(parser)
    stage.run(parser.parse_args([str(word) for word in words]), stage.module.Settings(**settings))


def tabulate(folder, *more: object, values=None) -> list[dict[str, str]]:
    points = []
    for label, gains in GAIN.items():
        write_metrics(folder / f"{label}.csv", gains)
        points += ["--point", label, label if values is None else values[label], folder / f"{label}.csv"]
    run(TABLE, "--axis", "hmc_steps", *points, *more, "--output", folder / "curve.csv", metrics=())
    return read_table(folder / "curve.csv")


def test_the_table_has_a_row_for_each_point_and_video(tmp_path):
    rows = tabulate(tmp_path, "--study", "10")
    assert len(rows) == 9
    assert list(rows[0]) == ["axis", "label", "value", "is_study", "video", *METRICS]
    assert rows[4] == {"axis": "hmc_steps", "label": "10", "value": "10", "is_study": "yes", "video": "video001"} | {
        metric: {"lpips": "", "data_misfit": "0.8"}.get(metric, "25.0") for metric in METRICS
    }
    assert {row["is_study"] for row in rows if row["label"] != "10"} == {""}


def test_paired_errors_do_not_count_how_hard_the_videos_are(tmp_path):
    curve = read_curve(tabulate(tmp_path, "--study", "0"), "curve.csv")
    assert curve.study == 0
    assert curve.means["psnr"] == pytest.approx([24, 26, 26])
    # The gains over the study's own value are 1, 2, 3 in one point, and 2, 2, 2 in the other.
    assert curve.errors["psnr"] == pytest.approx([0, 1 / np.sqrt(3), 0])
    assert curve.errors["data_misfit"] == pytest.approx([0, 0.1 / np.sqrt(3), 0])
    assert curve.error_of == "the paired difference, video by video, from the study's own value (0)"


def test_without_the_studys_own_point_errors_are_those_of_the_mean(tmp_path):
    curve = read_curve(tabulate(tmp_path), "curve.csv")
    assert curve.study is None
    assert curve.errors["psnr"][0] == pytest.approx(np.std([0, 3, 9], ddof=1) / np.sqrt(3))
    assert curve.error_of == "the mean"


def test_the_order_of_the_videos_does_not_matter_to_paired_errors(tmp_path):
    rows = tabulate(tmp_path, "--study", "0")
    shuffled = [rows[number] for number in (2, 0, 1, 5, 3, 4, 6, 8, 7)]
    assert read_curve(shuffled, "curve.csv").errors["psnr"] == pytest.approx([0, 1 / np.sqrt(3), 0])


def test_the_three_metrics_are_plotted_in_their_colours_with_the_studys_value_marked(tmp_path):
    curve = read_curve(tabulate(tmp_path, "--study", "10"), "curve.csv")
    axes = plot_ablation(curve, replicates=False).axes
    assert [one.get_ylabel() for one in axes] == ["PSNR [dB]", "d-PSNR [dB]", "data misfit"]
    assert [one.lines[0].get_color() for one in axes] == ["tab:blue", "tab:red", "tab:green"]
    assert axes[2].get_xlabel() == "hmc steps"
    for one, metric in zip(axes, ("psnr", "d_psnr", "data_misfit"), strict=True):
        assert np.allclose(one.lines[0].get_xydata(), np.stack([[0, 10, 100], curve.means[metric]], axis=1))
        marked = next(line for line in one.lines if line.get_label() == "the study's own value")
        assert marked.get_xydata()[0] == pytest.approx([10, curve.means[metric][1]])


def test_words_are_places_side_by_side_without_a_line_between_them(tmp_path):
    curve = read_curve(tabulate(tmp_path, values={"0": "-", "10": "-", "100": "-"}), "curve.csv")
    axes = plot_ablation(curve, replicates=False).axes[2]
    assert curve.values is None
    assert axes.lines[0].get_xdata().tolist() == [0, 1, 2]
    assert axes.lines[0].get_linestyle() == "None"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "10", "100"]


def test_values_far_apart_are_spread_on_a_logarithmic_axis_unless_one_is_zero(tmp_path):
    linear = plot_ablation(read_curve(tabulate(tmp_path), "curve.csv"), replicates=False).axes[0]
    spread = tabulate(tmp_path, values={"0": "1", "10": "10", "100": "100"})
    assert linear.get_xscale() == "linear"
    assert plot_ablation(read_curve(spread, "curve.csv"), replicates=False).axes[0].get_xscale() == "log"


@pytest.mark.slow
def test_the_stage_writes_pictures_and_what_is_plotted(tmp_path):
    tabulate(tmp_path, "--study", "10")
    files = ["--output", tmp_path / "curve.png", tmp_path / "curve.pdf", "--data", tmp_path / "plotted.csv"]
    run(STAGE, "--table", tmp_path / "curve.csv", *files)
    assert imread(tmp_path / "curve.png").shape[2] == 4
    plotted = read_table(tmp_path / "plotted.csv")
    assert len(plotted) == 9
    assert (plotted[1]["metric"], plotted[1]["is_study"], float(plotted[1]["mean"])) == ("psnr", "yes", 26)
    assert float(plotted[0]["standard_error"]) == pytest.approx(1 / np.sqrt(3))


def test_one_video_is_plotted_without_error_bars(tmp_path):
    rows = [row for row in tabulate(tmp_path, "--study", "10") if row["video"] == "video000"]
    curve = read_curve(rows, "curve.csv")
    assert np.isnan(curve.errors["psnr"]).all()
    figure = plot_ablation(curve, replicates=False)
    assert figure.get_supxlabel() == "One video: there are no error bars."
    figure.canvas.draw()


def test_points_that_do_not_fit_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="--study is '20'; the points are 0, 10, 100"):
        tabulate(tmp_path, "--study", "20")
    with pytest.raises(InputError, match="--point 10 has the value 'ten'"):
        tabulate(tmp_path, values={"0": "0", "10": "ten", "100": "100"})
    with pytest.raises(InputError, match="--point names 0, 10, 100, 10; give each point once"):
        tabulate(tmp_path, "--point", "10", "10", tmp_path / "10.csv")
    write_metrics(tmp_path / "other.csv", GAIN["0"], first_video=1)
    with pytest.raises(InputError, match=r"point other has the videos .*video003.*; evaluate the same"):
        tabulate(tmp_path, "--point", "other", "-", tmp_path / "other.csv")
    write_table(tmp_path / "other.csv", [{"video": "video000", "psnr": 1}])
    with pytest.raises(InputError, match=r"other\.csv has no ssim"):
        tabulate(tmp_path, "--point", "other", "-", tmp_path / "other.csv")
    assert not (tmp_path / "curve.csv").exists()


def test_a_table_that_is_no_ablations_is_refused(tmp_path):
    rows = tabulate(tmp_path, "--study", "10")
    with pytest.raises(InputError, match=r"curve\.csv has no rows"):
        read_curve([], "curve.csv")
    with pytest.raises(InputError, match=r"curve\.csv has no column d_psnr"):
        read_curve([{name: value for name, value in row.items() if name != "d_psnr"} for row in rows], "curve.csv")
    with pytest.raises(InputError, match=r"curve\.csv has the videos"):
        read_curve(rows[:-1], "curve.csv")
    with pytest.raises(InputError, match=r"marks \['0', '10'\] as the study's own"):
        read_curve([row | {"is_study": "yes"} if row["label"] == "0" else row for row in rows], "curve.csv")


@pytest.mark.slow
def test_replicates_show_the_spread_of_seeds_next_to_that_of_videos(tmp_path):
    rows = tabulate(tmp_path, "--study", "0", values={"0": "-", "10": "-", "100": "-"})
    curve = read_curve(rows, "curve.csv")
    scores = np.array([[float(row["psnr"]) for row in rows if row["label"] == label] for label in ("0", "10", "100")])
    spread = curve.spreads["psnr"]
    assert spread.of_points == pytest.approx(scores.mean(axis=1).std(ddof=1))
    assert spread.of_videos == pytest.approx(scores.mean(axis=0).std(ddof=1))
    one = plot_ablation(curve, replicates=True).axes[0]
    [band] = one.patches
    assert band.get_y() == pytest.approx(scores.mean() - spread.of_points)
    assert band.get_height() == pytest.approx(2 * spread.of_points)
    said = f"standard deviation: {spread.of_points:.2g} over seeds (band), {spread.of_videos:.2g} over videos"
    assert said in [text.get_text() for text in one.texts]
    assert not plot_ablation(curve, replicates=False).axes[0].patches


def test_a_single_seed_has_no_spread_and_no_band(tmp_path):
    rows = [row for row in tabulate(tmp_path) if row["label"] == "0"]
    curve = read_curve(rows, "curve.csv")
    assert np.isnan(curve.spreads["psnr"].of_points)
    assert not plot_ablation(curve, replicates=True).axes[0].patches
