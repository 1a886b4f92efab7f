"""Brightness in [0, 1], by hand."""

import numpy as np
import pytest
from step.errors import InputError
from step.physics.display import to_unit_range


def test_magnitude_is_relative_to_the_reference_videos_maximum():
    reference = np.array([[3.0, 4.0], [0.0, 1.0]]).reshape(2, 2, 1, 1)  # two frames of magnitude 5 and 1
    video = np.array([[6.0, 8.0], [0.0, -2.5]]).reshape(2, 2, 1, 1)
    assert to_unit_range(reference, reference, "magnitude").flatten().tolist() == pytest.approx([1, 0.2])
    assert to_unit_range(video, reference, "magnitude").flatten().tolist() == pytest.approx([1, 0.5])


def test_unit_range_maps_minus_one_to_zero_and_clips():
    video = np.array([-2.0, -1, 0, 0.5, 1, 3]).reshape(1, 6, 1, 1, 1)
    shown = to_unit_range(video, video, "unit_range")
    assert shown.shape == (1, 6, 1, 1)
    assert shown.flatten().tolist() == [0, 0, 0.5, 0.75, 1, 1]


def test_a_dark_reference_and_two_channels_in_unit_range_are_refused():
    dark = np.zeros((1, 2, 4, 4))
    with pytest.raises(InputError, match="zero everywhere"):
        to_unit_range(dark, dark, "magnitude")
    with pytest.raises(InputError, match="2 channels"):
        to_unit_range(dark, dark, "unit_range")
