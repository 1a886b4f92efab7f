"""The picture of a measurement's lines over time and its coils' maps."""

import numpy as np
import pytest
from step.errors import InputError
from step.figures.sampling import Files, SamplingSettings, plot, plot_sampling
from step.io.reconstructions import write_measurement
from step.physics.trajectories import golden_spokes

MASK = np.zeros((5, 16), bool)
MASK[:, 8] = True
MASK[np.arange(5), np.arange(5)] = True
MAPS = np.exp(1j * np.arange(6))[:, None, None] * np.full((6, 16, 12), 6**-0.5, np.complex64)


def test_lines_are_plotted_over_time_with_their_numbers_and_each_coil_has_a_panel():
    lines, *coils = plot_sampling(MASK, MAPS).axes
    assert np.array_equal(lines.images[0].get_array(), MASK.T)
    assert lines.get_title() == "2 of 16 lines per frame,\n6 in all"
    assert [axes.get_title() for axes in coils] == [f"coil {n} of 6" for n in range(1, 7)]
    colours = np.array([axes.images[0].get_array()[0, 0] for axes in coils])
    assert len(np.unique(colours.round(3), axis=0)) == 6  # other phases have other colours
    assert colours.max(axis=1) == pytest.approx(6**-0.5)


def test_without_coils_there_is_one_panel():
    assert len(plot_sampling(MASK, None).axes) == 1


@pytest.mark.slow
@pytest.mark.parametrize("per_sample", [False, True])
def test_the_picture_and_its_numbers_are_those_of_the_measurement(tmp_path, per_sample):
    mask = np.repeat(MASK[..., None], 12, axis=2) if per_sample else MASK
    arrays = {"kspace": np.zeros((5, 6, 16, 12), np.complex64), "mask": mask, "coil_maps": np.stack([MAPS] * 5)}
    write_measurement(tmp_path / "video000.h5", arrays, {})
    files = Files(tmp_path / "video000.h5", (tmp_path / "a.png",), tmp_path / "a.npz")
    plot(files, SamplingSettings())
    with np.load(files.data) as numbers:
        assert np.array_equal(numbers["mask"], mask)
        assert np.array_equal(numbers["coil_maps"], MAPS)
    assert files.output[0].stat().st_size > 1000


@pytest.mark.slow
def test_a_trajectory_is_plotted_readout_by_readout_with_the_frames_colour(tmp_path):
    points = golden_spokes(3, 4, (16, 16), 2.0).numpy()
    axes = plot_sampling(points, None).axes[0]
    assert axes.get_title() == "4 readouts of 32 samples per frame,\n12 readouts in all"
    shown = np.array([np.stack([line.get_ydata(), line.get_xdata()], axis=-1) for line in axes.lines])
    assert np.array_equal(shown, points.reshape(12, 32, 2))
    colours = [tuple(line.get_color()) for line in axes.lines]
    assert [colours.count(colour) for colour in dict.fromkeys(colours)] == [4, 4, 4]
    arrays = {"kspace": np.zeros((3, 6, 4, 32), np.complex64), "trajectory": points, "coil_maps": np.stack([MAPS] * 3)}
    write_measurement(tmp_path / "video000.h5", arrays, {})
    files = Files(tmp_path / "video000.h5", (tmp_path / "a.png",), tmp_path / "a.npz")
    plot(files, SamplingSettings())
    with np.load(files.data) as numbers:
        assert np.array_equal(numbers["trajectory"], points)


def test_a_measurement_without_kspace_is_refused(tmp_path):
    write_measurement(tmp_path / "video000.h5", {"flux": np.zeros(5)}, {})
    files = Files(tmp_path / "video000.h5", (tmp_path / "a.png",), tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"video000.h5 holds \['flux'\], no k-space and mask or trajectory"):
        plot(files, SamplingSettings())
