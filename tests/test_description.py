"""What `describe` says of the paper's study, against the paper's numbers."""

import json

import pytest
from step.__main__ import main
from step.cli import split
from step.config.study import BASE_CONFIG, load_config
from step.description import as_text, describe
from step.io.videos import write_index
from step.prepare.split import Candidate, split_videos

MEBI = 2**20  # the paper's M


@pytest.fixture(scope="module")
def description() -> dict:
    return describe(load_config(BASE_CONFIG))


@pytest.mark.slow
def test_the_command_prints_it_as_json(description, capsys):
    assert main(["describe", "--config", str(BASE_CONFIG), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == description


@pytest.mark.slow
def test_parameters_are_the_paper_s_in_units_of_2_to_the_20(description):
    domains = description["domains"]
    counts = {domain: domains[domain]["parameters"] for domain in ("blackhole", "mri")}
    assert counts["blackhole"]["autoencoder"] == 15_458_123
    assert counts["mri"]["autoencoder"] == 60_245_280
    assert counts["blackhole"]["video_denoiser"] == 138_047_896
    # The paper's Table 3 prints 14.8M, 57.5M and 131.7M: it rounds up.
    millions = [counts["blackhole"]["autoencoder"] / MEBI, counts["mri"]["autoencoder"] / MEBI]
    millions += [counts[domain]["video_denoiser"] / MEBI for domain in ("blackhole", "mri")]
    assert millions == pytest.approx([14.74, 57.45, 131.65, 131.65], abs=0.005)


def test_the_temporal_modules_are_what_the_video_network_has_more(description):
    for domain in description["domains"].values():
        assert domain["parameters"]["video_denoiser"] > domain["parameters"]["image_denoiser"]


def test_shapes_of_videos_and_latents(description):
    shapes = {name: (of["video_shape"], of["latent_shape"]) for name, of in description["domains"].items()}
    assert shapes == {
        "blackhole": ([64, 1, 256, 256], [64, 1, 32, 32]),
        "mri": ([12, 2, 192, 192], [12, 2, 48, 48]),
    }


@pytest.mark.parametrize(
    ("task", "decoder", "ode"), [("blackhole", 1500, 500), ("mri8", 1060, 400), ("mri6", 1060, 400)]
)
def test_evaluations_per_sample_are_those_of_table_2(description, task, decoder, ode):
    evaluations = description["tasks"][task]["evaluations_per_sample"]
    # The prior's score at every step of the Markov chain is what the paper does not count.
    assert evaluations == {"decoder": decoder, "denoiser_ode": ode, "denoiser_mcmc": decoder}


def test_jobs_of_a_task(description):
    # 20 test videos, one a job, nine methods; those and five references are evaluated.
    jobs = {
        "measure": 1,
        "optical_flow": 20,
        "sample": 180,
        "reference": 5,
        "evaluate": 14,
        "extract_features": 1,
        "tabulate": 1,
    }
    assert description["tasks"]["mri8"]["jobs"] == jobs
    assert description["tasks"]["mri8"]["test_videos"] == 20


@pytest.mark.slow
def test_the_text_says_which_million_it_means(capsys):
    assert main(["describe"]) == 0
    text = capsys.readouterr().out
    assert "15,458,123 (14.7 M of 2^20)" in text
    assert "latent_shape: 12 x 2 x 48 x 48" in text
    bounds = "at most 3,324 videos and 39,888 images, which are upper bounds: 23 units are held out, not trained on"
    assert f"training_data: {bounds}; how many there are is known once the videos are split" in text


@pytest.mark.slow
def test_once_the_videos_are_split_it_says_how_many_can_be_used_and_how_many_are(tmp_path):
    overlay = tmp_path / "small.yaml"
    data = "{frames: 4, videos: 9, images: 40, split: {test: 1, validation: 1}, test_videos: 1, validation_videos: 1}"
    overlay.write_text(f"results: {tmp_path}/results\ndata: {{mri: {data}}}\n")
    config = load_config(overlay)
    candidates = [Candidate(f"P{p}-{s}", f"P{p}", f"P{p}-{s}", "part.h5", 0, "video") for p in range(5) for s in "abc"]
    write_index(tmp_path / "results/mri/index.csv", split_videos(candidates, split.select(config, "mri")))
    found = describe(config)["domains"]["mri"]["training_data"]
    # Three of five patients are trained on, with three videos of four frames each.
    assert found == {
        "videos_at_most": 9,
        "images_at_most": 40,
        "held_out_units": 2,
        "usable_videos": 9,
        "usable_images": 36,
        "used_videos": 9,
        "used_images": 36,
    }
    text = as_text({"domains": {"mri": {"training_data": found}}, "tasks": {}})
    assert "there are 9 videos and 36 images to train on, 9 videos and 36 images are used" in text
