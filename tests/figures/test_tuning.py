"""The picture of a search for settings."""

import numpy as np
import pytest
from step.errors import InputError
from step.figures.tuning import BEST_COLOUR, LABELS, plot_trials, read_trials

STATES = ["complete", "failed", "complete", "pruned", "complete"]
PSNR = ["24.0", "nan", "23.0", "22.5", "25.5"]
ETA = ["1e-3", "1e-2", "2e-3", "1e-4", "3e-3"]
DAMPING = ["0.5", "0.1", "0.2", "0.9", "0.7"]


@pytest.fixture
def rows() -> list[dict[str, str]]:
    """Return a table of five trials on two videos."""
    return [
        {
            "trial": str(number),
            "state": state,
            "step_size_squared": eta,
            "damping": damping,
            "psnr_validation000": "20.0",
            "psnr_validation001": "",
            "psnr": psnr if state == "complete" else "",
            "estimated_psnr": psnr,
            "seconds": "3.0",
            "reason": "",
        }
        for number, (state, psnr, eta, damping) in enumerate(zip(STATES, PSNR, ETA, DAMPING, strict=True), start=1)
    ]


def test_the_best_so_far_is_of_complete_trials_alone_and_never_falls(rows):
    rows[3]["estimated_psnr"] = "99.0"  # pruned
    assert read_trials(rows, "trials.csv").best_so_far.tolist() == [24.0, 24.0, 24.0, 24.0, 25.5]


def test_a_search_whose_start_failed_has_no_best_until_a_trial_is_complete(rows):
    rows[0] |= {"state": "failed", "estimated_psnr": "nan"}
    best = read_trials(rows, "trials.csv").best_so_far
    assert np.array_equal(best, [np.nan, np.nan, 23.0, 23.0, 25.5], equal_nan=True)
    assert "the study's own values" not in labels_of(plot_trials(read_trials(rows, "trials.csv")).axes[0])


def test_the_columns_of_the_table_are_read(rows):
    trials = read_trials(rows, "trials.csv")
    assert list(trials.values) == ["step_size_squared", "damping"]
    assert trials.values["step_size_squared"].tolist() == [1e-3, 1e-2, 2e-3, 1e-4, 3e-3]
    assert trials.n_videos == 2
    assert trials.numbers.tolist() == [1, 2, 3, 4, 5]


def labels_of(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_course_shows_each_kind_of_trial_the_start_and_the_best(rows):
    course = plot_trials(read_trials(rows, "trials.csv")).axes[0]
    lines = {line.get_label(): line for line in course.lines}
    assert lines["all videos sampled"].get_xdata().tolist() == [1, 3, 5]
    assert lines["all videos sampled"].get_ydata().tolist() == [24.0, 23.0, 25.5]
    assert lines["best so far"].get_ydata().tolist() == [24.0, 24.0, 24.0, 24.0, 25.5]
    assert lines["stopped early (estimated)"].get_xdata().tolist() == [4]
    assert lines["failed"].get_xdata().tolist() == [2]
    assert set(lines["the study's own values"].get_ydata()) == {24.0}
    assert (course.get_xlabel(), course.get_ylabel()) == ("trial", "mean PSNR [dB]")
    assert course.get_title() == "5 trials on 2 validation videos"


def test_there_is_a_panel_for_each_value_with_its_own_scale_and_the_best_is_ringed(rows):
    figure = plot_trials(read_trials(rows, "trials.csv"))
    _, step_size, damping, *_ = figure.axes
    assert (step_size.get_xlabel(), damping.get_xlabel()) == (LABELS["step_size_squared"], LABELS["damping"])
    assert (step_size.get_xscale(), damping.get_xscale()) == ("log", "linear")
    assert step_size.get_ylabel() == "mean PSNR [dB]"
    pruned, complete = step_size.collections
    assert pruned.get_offsets().tolist() == [[1e-4, 22.5]]
    assert complete.get_offsets().tolist() == [[1e-3, 24.0], [2e-3, 23.0], [3e-3, 25.5]]
    [ring] = [line for line in damping.lines if line.get_markerfacecolor() == "none"]
    assert (ring.get_xdata().tolist(), ring.get_ydata().tolist()) == ([0.7], [25.5])
    assert ring.get_color() == BEST_COLOUR


def test_a_search_in_which_all_failed_is_plotted_too(rows):
    failed = [row | {"state": "failed", "estimated_psnr": "nan"} for row in rows]
    figure = plot_trials(read_trials(failed, "trials.csv"))
    assert "failed" in labels_of(figure.axes[0])


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "trials.csv has no rows"), ([{"trial": "1"}], "trials.csv has no column state")],
)
def test_a_table_that_is_not_one_is_refused(rows, message):
    with pytest.raises(InputError, match=message):
        read_trials(rows, "trials.csv")
