"""A prior's folder says what it was trained on, how it came out and what it cannot be relied on for."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from step.__main__ import main
from step.cli import assemble_prior
from step.config.settings import dump_settings
from step.config.study import load_config
from step.io.prior_folders import verify_prior
from step.io.videos import PreparedVideo, VideoRecord, write_index, write_videos
from step.metrics.psnr import psnr
from step.physics.display import to_unit_range
from tiny_priors import SHAPE, write_tiny_prior

MINIATURE = Path(__file__).parents[1] / "workflow/miniature.yaml"
USES = ["video", "video", "image", "unused", "validation000", "validation001", "unused", "video000"]
SPLITS = ["train"] * 4 + ["validation"] * 3 + ["test"]
OVERLAY = """
seed: 4
data: {mri: {root: /somewhere/private, frames: 3}}
priors: {mri: {weights_precision: FORMAT}}
"""


def video(number: int) -> np.ndarray:
    return np.random.default_rng(number).standard_normal(SHAPE).astype(np.float32)


def write_study(folder, splits=SPLITS, uses=USES):
    """Write networks, videos of a subject each and one single image; return the folders of the first and the index."""
    write_tiny_prior(folder)
    videos = [PreparedVideo(f"P{n}-0", f"P{n}", f"P{n}", 1.0, 0.0, video(n)) for n in range(len(splits))]
    single = PreparedVideo("S-0", "S", "S", 1.0, 0.0, video(99)[:1])
    write_videos(folder / "prepared/000.h5", (len(splits), *SHAPE), videos, (1, [single]))
    records = [
        VideoRecord(one.video, one.subject, one.source, "prepared/000.h5", row, "video", split, use)
        for row, (one, split, use) in enumerate(zip(videos, splits, uses, strict=True))
    ]
    records.append(VideoRecord("S-0", "S", "S", "prepared/000.h5", 0, "image", "train", "image"))
    write_index(folder / "index.csv", records)
    return [folder / "networks" / name for name in ("autoencoder", "joint")], folder / "index.csv"


def assembled(folder, precision="float16", **changes):
    """Run the stage; return the prior's folder and its card, without line breaks."""
    networks, index = write_study(folder, **changes)
    (folder / "study.yaml").write_text(OVERLAY.replace("FORMAT", precision))
    settings = assemble_prior.select(load_config(MINIATURE, folder / "study.yaml"), "mri")
    command = ["assemble_prior", "--settings", dump_settings(settings), "--index", index, "--networks", *networks]
    assert main([str(word) for word in [*command, "--output", folder / "out/prior"]]) == 0
    assert [path.name for path in (folder / "out").iterdir()] == ["prior"]
    return folder / "out/prior", (folder / "out/prior/README.md").read_text()


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    return assembled(tmp_path_factory.mktemp("half"))


def psnr_of_autoencoder(folder, number: int) -> float:
    from step.models.prior import load_autoencoder

    autoencoder, truth = load_autoencoder(folder), video(number)
    restored = autoencoder.decode(autoencoder.encode(torch.from_numpy(truth)[None]))[0].numpy()
    return psnr(to_unit_range(restored, truth, "magnitude"), to_unit_range(truth, truth, "magnitude"))


@pytest.mark.slow
def test_the_folder_is_whole_and_loads(half):
    import step

    folder, _ = half
    verify_prior(folder)
    assert step.load_prior(folder).shape == SHAPE


def test_the_card_says_how_many_videos_subjects_and_images_there_were(half):
    _, card = half
    assert "simulated by the workflow; the seed of simulation, split and training is 4" in card
    assert "| subjects | 4 | 2 | 1 |" in card  # of training: two with videos, one of the image set, one single image
    assert "| videos | 2 | 2 | 1 |" in card
    assert "| images | 12 |  |  |" in card
    assert "| of these single ones | 1 |  |  |" in card


def test_the_psnr_of_the_card_is_that_of_the_autoencoder_in_the_folder_on_validation_videos(half):
    folder, card = half
    values = [psnr_of_autoencoder(folder / "autoencoder", number) for number in (4, 5)]
    expected = f"PSNR {np.mean(values):.2f} dB (standard deviation {np.std(values, ddof=1):.2f} dB) of 2 validation"
    assert expected in card
    assert f"about {np.mean(values):.1f} dB is the best" in card


def test_the_card_has_losses_hours_machine_and_settings_but_no_place(half):
    _, card = half
    assert "| joint | 1000 | 4 | 12 | 1 | 0.01 | 1 x CPU, 1 threads | 1 | 1 |" in card
    assert "0.02 hours" in card
    blocks = [json.loads(block.split("```")[0]) for block in card.split("```json\n")[1:]]
    assert (blocks[1]["source"], blocks[1]["simulation"]["patients"]) == ("simulation", 6)
    assert blocks[2]["joint"]["p_joint"] == 0.8
    assert "private" not in card


def test_the_limits_follow_from_the_facts(half):
    _, card = half
    limits = card.split("## Limits")[1].split("## Sampler")[0]
    for fact in ("simulated videos alone", "2 videos of 4 subjects", "3 frames of 16 x 16 pixels", "float16"):
        assert fact in limits
    assert "held out" not in limits


@pytest.mark.slow
def test_of_float32_the_networks_are_linked_as_they_are_and_without_validation_the_card_says_so(tmp_path):
    splits, uses = ["train", "train", "test"], ["video", "video", "video000"]
    folder, card = assembled(tmp_path, "float32", splits=splits, uses=uses)
    name = "diffusion_pytorch_model.safetensors"
    assert (folder / "joint" / name).samefile(tmp_path / "networks/joint" / name)
    assert "not measured, there are no validation videos" in card
    assert "No video was held out for validation" in card
    assert "float16" not in card
