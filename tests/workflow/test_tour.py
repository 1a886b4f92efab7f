"""The tour, run in miniature: what a newcomer's one line makes, from simulated raw data to the page."""

import csv
import math
import re

import pytest

OVERLAYS = ("config/miniature.yaml",)
METHODS = ["bcs", "step_joint"]
ROWS = {
    "mri8": [*METHODS, "zero_filled", "total_variation", "low_rank_sparse", "static", "vae"],
    "blackhole": [*METHODS, "dirty", "regularised_maximum_likelihood", "static", "vae"],
}


@pytest.mark.parametrize("task", ROWS)
def test_the_tour_ends_with_videos_pictures_and_a_table_of_finite_scores(tour, task):
    folder = tour.folder / "results/miniature" / task / "tour"
    assert all((folder / f"comparison.{end}").stat().st_size > 0 for end in ("png", "pdf", "mp4", "npz"))
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == ROWS[task]
    assert all(math.isfinite(float(row[metric])) for row in rows for metric in ("psnr", "ssim", "data_misfit"))


def test_the_tour_ends_with_a_page_of_its_own_that_needs_no_network(tour):
    results = tour.folder / "results/miniature"
    page = (results / "tour.html").read_text()
    names = set(re.findall(r'"name": "([^"]+)"', page))
    assert {"comparison.png", "comparison.mp4", "metrics.csv", "tour.html"} <= names
    # What it opens with holds the animations and the pictures themselves, and the tables of both tasks.
    assert page.count("data:image/webp;base64,") == len(ROWS)
    assert len(re.findall(r"Black hole|MRI \(8", page)) >= 2
    assert re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', page) == []
    made = [path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()]
    assert "report.html" not in made
    assert [name for name in made if ".part" in name] == []


def test_a_second_tour_does_nothing(tour):
    run = tour.snakemake("tour", overlays=OVERLAYS)
    assert run.status == 0
    assert "Nothing to be done" in run.stdout + run.stderr


def test_an_edit_of_one_method_samples_that_method_again(tour):
    overlay = tour.overlay("edit", "methods: {bcs: {noise: {source: independent}}}")
    stale = tour.snakemake("-n", "tour", overlays=(*OVERLAYS, overlay)).jobs
    assert stale["sample"] == 2
    assert not stale.keys() & {"measure", "train_denoiser", "train_autoencoder", "reference"}
