"""A domain that the project does not know: a package of its own, the one of docs/domains.md, and nothing else."""

import csv
import math

import numpy as np
import pytest
from own_domain import add_fluorescence
from project_copy import ONE_THREAD, copy_of_project
from step.io.reconstructions import read_measurement
from step.io.truths import read_truth

pytestmark = pytest.mark.study

MINIATURE = "config/miniature.yaml"
RESULTS = "results/miniature/cells4"
TABLE = f"{RESULTS}/tour/metrics.csv"
RAW = {"ingest": 2, "prepare": 2, "split": 1}
TRAINED = {"train_autoencoder": 1, "train_denoiser": 2}
SAMPLED = {"measure": 1, "sample": 2, "reference": 2, "evaluate": 4, "extract_features": 1, "tabulate_tour": 1}


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """A copy of the project with the package and its raw files, and the study's overlay."""
    copy = copy_of_project(tmp_path_factory.mktemp("cells"))
    return copy, add_fluorescence(copy)


@pytest.fixture(scope="module")
def finished(cells):
    copy, overlay = cells
    run = copy.snakemake(TABLE, *ONE_THREAD, overlays=(MINIATURE, overlay))
    assert run.status == 0, run.stdout + run.stderr
    return copy, overlay, run


def test_it_goes_from_raw_files_through_the_graph_to_its_table(finished):
    copy, _, run = finished
    assert run.jobs == {**RAW, **TRAINED, **SAMPLED, "fetch_weights": 2}
    with (copy.folder / TABLE).open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["bis", "step_joint", "zero_filled", "static"]
    assert all(math.isfinite(float(row["psnr"])) for row in rows.values())
    measured = read_measurement(copy.folder / RESULTS / "measurements/video000.h5")
    assert measured["data"].shape == (4, 1, 4, 4)


def test_its_videos_are_what_its_files_hold(finished):
    copy, _, _ = finished
    with (copy.folder / "results/miniature/cells/index.csv").open() as file:
        [first] = [row for row in csv.DictReader(file) if row["use"] == "video000"]
    truth = read_truth(copy.folder / RESULTS / "truths/video000.h5", "video000")
    with np.load(copy.folder / f"data/stacks/{first['video']}.npz") as raw:
        np.testing.assert_allclose(truth[:, 0], raw["counts"][:4, 2:18, 3:19] / 100, rtol=1e-6)


EDITS = {
    "what is read": ("ingest.py", 'file["counts"]', '1 * file["counts"]', {**RAW, **TRAINED, **SAMPLED}),
    "how videos are cut": ("prepare.py", "[: settings.frames,", "[0 : settings.frames,", None),
    "what a field means": ("data.py", "become a brightness", "become the brightness", {}),
    "what the camera does": ("camera.py", "return spread /", "return 1 * spread /", SAMPLED),
    "a comment": ("prepare.py", "# fluorescence", "# fluorescent", {}),
}


@pytest.mark.parametrize(("file", "old", "new", "jobs"), EDITS.values(), ids=EDITS)
def test_an_edit_makes_stale_what_depends_on_it_and_no_other(finished, file, old, new, jobs):
    copy, overlay, _ = finished
    if jobs is None:
        jobs = {"prepare": 2, "split": 1, **TRAINED, **SAMPLED}
    with copy.edited(f"workflow/fluorescence/{file}", lambda text: text.replace(old, new)):
        assert copy.snakemake("-n", TABLE, overlays=(MINIATURE, overlay)).jobs == jobs


WRONG = {
    "no such package": ("module: fluorescence", "module: fluor", "data.cells.module is 'fluor'; there is no module"),
    "a value out of range": ("photons: 100", "photons: 0", "data.cells.photons: Input should be greater than 0, not 0"),
    "a key that is missing": ("photons: 100", "photon: 100", "data.cells.photons: missing; give it a value"),
    "no raw files": ("data/stacks", "data", "no stacks (.npz) in data; set the data's root to their folder"),
    "a module that is no domain": ("module: fluorescence", "module: yaml", "there is no yaml.data with `Data`"),
}


@pytest.mark.parametrize(("old", "new", "line"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(cells, old, new, line):
    copy, overlay = cells
    text = overlay.read_text()
    assert old in text
    run = copy.snakemake("-n", TABLE, overlays=(MINIATURE, copy.overlay("wrong", text.replace(old, new))))
    assert run.status != 0
    assert [line in one for one in run.stderr.splitlines() if one.startswith("error: ")] == [True], run.stderr
