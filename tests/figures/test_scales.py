"""Scale bars, clocks and spans of time."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from step.figures.scales import (
    clock,
    clocks,
    evenly_spaced,
    frame_edges,
    scale_bar,
    spans_without_data,
    tell_utc,
)


@pytest.mark.parametrize(
    ("n_pixels", "pixel_size", "unit", "label"),
    [
        (256, 0.5, "uas", "50 µas"),
        (192, 1.8, "mm", "100 mm"),
        (96, 1.0, "pixel", "20 pixels"),
        (8, 0.1, "mm", "0.2 mm"),
    ],
)
def test_a_scale_bar_is_round_and_as_long_as_its_label_says(n_pixels, pixel_size, unit, label):
    bar = scale_bar(n_pixels, pixel_size, unit)
    assert bar.label == label
    assert bar.pixels * pixel_size == pytest.approx(float(label.split()[0]))
    assert 0.15 * n_pixels < bar.pixels <= 0.4 * n_pixels


def test_a_clock_reads_the_frames_time():
    assert clock(12.5 + 102 / 3600, "UTC h") == "12:31:42 UTC"
    assert clock(13 - 1e-9, "UTC h") == "13:00:00 UTC"
    assert clock(24.25, "UTC h") == "00:15:00 UTC"
    assert clock(0.345678, "s") == "t = 0.35 s"
    assert clock(3.0, "frame") == "frame 3"


def test_a_clock_says_where_there_are_no_data():
    assert clocks(np.array([0.0, 1.0]), "frame", np.array([True, False])) == ["frame 0", "frame 1, no data"]


@pytest.mark.parametrize(("first_h", "last_h"), [(12.5, 14.3), (12.5, 12.6), (4.0, 16.0)])
def test_an_axis_of_time_has_a_few_ticks_at_whole_minutes(first_h, last_h):
    axes = Figure().subplots()
    axes.set_xlim(first_h, last_h)
    tell_utc(axes.xaxis, first_h, last_h)
    ticks = [tick for tick in axes.get_xticks() if first_h <= tick <= last_h]
    assert 2 <= len(ticks) <= 7
    assert np.allclose(np.array(ticks) * 60, np.round(np.array(ticks) * 60))
    hours, minutes = axes.xaxis.get_major_formatter()(ticks[0], 0).split(":")
    assert int(hours) + int(minutes) / 60 == pytest.approx(ticks[0])


def test_frames_end_halfway_to_the_next():
    assert frame_edges(np.array([1.0, 2.0, 4.0])).tolist() == [0.5, 1.5, 3.0, 5.0]
    assert frame_edges(np.array([7.0])).tolist() == [6.5, 7.5]


def test_spans_without_data_are_the_runs_of_such_frames():
    edges = np.arange(7.0)
    assert spans_without_data(edges, np.array([0, 1, 1, 0, 0, 1], bool)) == [(0, 1), (3, 5)]
    assert spans_without_data(edges, np.array([1, 1, 1, 1, 1, 0], bool)) == [(5, 6)]
    assert spans_without_data(edges, np.ones(6, bool)) == []


def test_evenly_spaced_frames_begin_with_the_first_and_end_with_the_last():
    assert evenly_spaced(64, 6).tolist() == [0, 13, 25, 38, 50, 63]
    assert evenly_spaced(4, 6).tolist() == [0, 1, 2, 3]
