"""The comparison picture: the numbers it plots, and the files it becomes."""

import numpy as np
import pytest
from matplotlib.image import imread
from step.errors import InputError
from step.figures import style
from step.figures.comparison import compare, plot_comparison, write_comparison_data
from step.figures.reading import ShownVideo
from step.figures.shown import busiest_column, busiest_frame


@pytest.fixture
def video() -> ShownVideo:
    """Return a video (4, 12, 16) whose column 5 blinks in frame 2, and two reconstructions."""
    truth = np.full((4, 12, 16), 0.25)
    truth[2, :, 5] = 1
    return ShownVideo("video000", truth, {"bis": truth * 0.5, "step_joint": np.clip(truth + 0.1, 0, 1)})


def test_the_slice_and_the_frame_lie_where_the_truth_moves_most(video):
    assert busiest_column(video.truth) == 5
    assert busiest_frame(video.truth) == 2


def test_the_numbers_are_the_videos(video):
    comparison = compare(video)
    assert comparison.columns == ("truth", "bis", "step_joint")
    assert np.array_equal(comparison.frames[1], video.reconstructions["bis"][2])
    assert np.array_equal(comparison.slices[2], video.reconstructions["step_joint"][:, :, 5].T)
    assert np.array_equal(comparison.errors[0], np.zeros((12, 16)))
    assert np.allclose(comparison.errors[1], 0.5 * video.truth[2])
    # Three frames are off by 0.125; in the fourth one column of sixteen is off by 0.5.
    blinking = (15 * 0.125**2 + 0.5**2) / 16
    expected = -10 * np.log10([0.125**2] * 3 + [blinking])
    assert comparison.psnr_db[1] == pytest.approx(expected.mean(), abs=1e-4)


def test_the_data_next_to_the_picture_are_what_was_compared(video, tmp_path):
    comparison = compare(video)
    write_comparison_data(comparison, tmp_path / "comparison.npz")
    with np.load(tmp_path / "comparison.npz") as data:
        assert data["columns"].tolist() == ["truth", "bis", "step_joint"]
        assert (data["frame"], data["x"]) == (2, 5)
        for name in ("frames", "errors", "slices", "psnr_db"):
            assert np.array_equal(data[name], getattr(comparison, name), equal_nan=True)


@pytest.mark.slow
def test_the_picture_plots_the_numbers_and_labels_every_axis(video):
    comparison = compare(video)
    panels = [axes for axes in plot_comparison(comparison, "magnitude").axes if axes.images][:9]
    plotted = np.array([axes.images[0].get_array() for axes in panels[:6]])
    assert np.allclose(plotted[:3], comparison.frames)
    assert np.allclose(plotted[3:], comparison.errors)
    assert np.allclose(panels[7].images[0].get_array(), comparison.slices[1])
    assert {axes.images[0].get_clim() for axes in panels[3:6]} == {panels[3].images[0].get_clim()}
    assert [axes.get_xlabel() for axes in panels[3:]] == ["x [pixel]"] * 3 + ["t [frame]"] * 3
    assert all("y [pixel]" in panels[row].get_ylabel() for row in (0, 3, 6))


@pytest.mark.slow
def test_pictures_appear_whole_in_each_format_and_the_same_each_time(video, tmp_path):
    paths = [tmp_path / f"comparison{suffix}" for suffix in (".png", ".pdf")]
    figure = plot_comparison(compare(video), "magnitude")
    style.save_figure(figure, paths)
    assert imread(paths[0]).shape[2] == 4
    assert paths[1].read_bytes().startswith(b"%PDF")
    first = paths[1].read_bytes()
    style.save_figure(plot_comparison(compare(video), "magnitude"), paths)
    assert paths[1].read_bytes() == first
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_an_unknown_format_is_refused_before_anything_is_written(video, tmp_path):
    with pytest.raises(InputError, match=r"no pictures can be written as picture\.txt"):
        style.save_figure(plot_comparison(compare(video), "magnitude"), [tmp_path / "picture.txt"])
    assert not list(tmp_path.iterdir())


def test_the_style_is_gone_after_plotting(video):
    import matplotlib

    before = dict(matplotlib.rcParams)
    plot_comparison(compare(video), "magnitude")
    assert dict(matplotlib.rcParams) == before


def test_labels_are_the_papers_words():
    assert style.label("bis") == "BIS"
    assert " ".join(style.label("step_joint").split()) == "STeP (image-video joint)"
    assert style.label("my_method") == "my method"
