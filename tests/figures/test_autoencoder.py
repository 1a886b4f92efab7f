"""The picture of what the autoencoder keeps: its numbers, its labels, its stage."""

import argparse

import numpy as np
import pytest
from matplotlib.image import imread
from step.cli.stages import open_stage
from step.errors import InputError
from step.figures.autoencoder import Passage, plot_autoencoder, see_autoencoder, write_autoencoder_data
from step.figures.reading import ShownVideo
from step.io.reconstructions import Reconstruction, write_reconstructions
from step.io.truths import write_truth

STAGE = open_stage("plot autoencoder")


def truth_of(blinking: int) -> np.ndarray:
    """Return frames (4, 12, 12) of which one is brighter."""
    truth = np.full((4, 12, 12), 0.25, np.float32)
    truth[blinking] = 0.75
    return truth


@pytest.fixture
def passage() -> Passage:
    truths = [truth_of(2), truth_of(0)]
    lost = (0.1, 0.01)
    return see_autoencoder(
        [
            ShownVideo(f"video{number:03d}", truth, {"vae": truth + error})
            for number, (truth, error) in enumerate(zip(truths, lost, strict=True))
        ]
    )


def test_the_frame_that_changes_most_is_shown_and_psnr_is_of_the_video(passage):
    assert passage.videos == ("video000", "video001")
    assert passage.shown.tolist() == [2, 0]
    assert np.allclose(passage.truths, 0.75)
    assert np.allclose(passage.reconstructions[0], 0.85)
    assert np.allclose(passage.errors[:, 0, 0], [0.1, 0.01], atol=1e-6)
    assert passage.psnr_db == pytest.approx([20, 40], abs=1e-3)


def test_the_picture_plots_the_numbers_and_labels_every_axis(passage):
    panels = [axes for axes in plot_autoencoder(passage, "magnitude").axes if axes.images]
    plotted = np.array([axes.images[0].get_array() for axes in panels[:6]]).reshape(3, 2, 12, 12)
    for row, numbers in zip(plotted, (passage.truths, passage.reconstructions, passage.errors), strict=True):
        assert np.allclose(row, numbers)
    assert [panels[row].get_ylabel() for row in (0, 2, 4)] == [
        "truth\ny [pixel]",
        "autoencoder\ny [pixel]",
        "error\ny [pixel]",
    ]
    assert [axes.get_title() for axes in panels[4:6]] == ["PSNR 20.0 dB", "PSNR 40.0 dB"]
    assert [axes.get_xlabel() for axes in panels[4:6]] == ["x [pixel]"] * 2
    assert panels[4].images[0].get_clim() == panels[5].images[0].get_clim()


def test_the_data_are_what_is_plotted(passage, tmp_path):
    write_autoencoder_data(passage, tmp_path / "autoencoder.npz")
    with np.load(tmp_path / "autoencoder.npz") as data:
        assert set(data) == {"videos", "shown", "truths", "reconstructions", "errors", "psnr_db"}
        assert np.array_equal(data["errors"], passage.errors)


def run(folder) -> None:
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    words = ["--truths", "video000.h5", "--reconstructions", "vae.h5"]
    words += ["--data", "autoencoder.npz", "--output", "autoencoder.png"]
    arguments = [word if word.startswith("--") else str(folder / word) for word in words]
    STAGE.run(parser.parse_args(arguments), STAGE.module.Settings(display="unit_range"))


@pytest.mark.slow
def test_the_stage_reads_truths_and_reconstructions_and_writes_picture_and_numbers(tmp_path):
    truth = 2 * truth_of(1)[:, None] - 1
    write_truth(tmp_path / "video000.h5", truth, {})
    write_reconstructions(tmp_path / "vae.h5", [Reconstruction("video000", (truth + 0.2)[None], {})], {})
    run(tmp_path)
    assert imread(tmp_path / "autoencoder.png").shape[2] == 4
    with np.load(tmp_path / "autoencoder.npz") as data:
        assert data["psnr_db"] == pytest.approx([20], abs=1e-3)


def test_a_video_that_was_not_reconstructed_is_refused(tmp_path):
    truth = 2 * truth_of(1)[:, None] - 1
    write_truth(tmp_path / "video000.h5", truth, {})
    write_reconstructions(tmp_path / "vae.h5", [Reconstruction("video001", truth[None], {})], {})
    with pytest.raises(InputError, match="video000 is not among the videos of vae"):
        run(tmp_path)
    assert not (tmp_path / "autoencoder.png").exists()
