"""A classical reconstruction that the project does not know: one module, its settings in a task, a row that names it.

Nothing here needs a prior, so that nothing is trained.
"""

import csv

import numpy as np
import pytest
import yaml
from own_classical import MODULE
from project_copy import Copy, copy_of_project
from step.io.reconstructions import read_reconstructions

pytestmark = pytest.mark.study

MINIATURE = "config/miniature.yaml"
ROW = "my_lab.brighter"
OVERLAY = f"""
tasks:
  mri8:
    references: [zero_filled, total_variation, low_rank_sparse, {ROW}, static]
    classical: {{{ROW}: {{brightness: 1.5, unit: observed/unit.txt}}}}
tuning: {{classical: {{{ROW}: {{brightness: [0.5, 1]}}}}}}
"""
RESULTS = "results/miniature/mri8"
RECONSTRUCTIONS = [f"{RESULTS}/references/{name}.h5" for name in ("zero_filled", "low_rank_sparse", ROW)]
METRICS = f"{RESULTS}/metrics/{ROW}.csv"
TUNED = f"{RESULTS}/tuning/{ROW}/tuned.yaml"
TARGETS = [*RECONSTRUCTIONS, METRICS, TUNED]
DATA = {"simulate_mri": 1, "ingest": 1, "prepare": 1, "split": 1, "measure": 1, "measure_validation": 1}
WEIGHTS = {"fetch_weights": 2}


@pytest.fixture(scope="module")
def with_row(tmp_path_factory) -> tuple[Copy, str]:
    """A copy of the project with the row in it, and what makes it part of the miniature."""
    copy = copy_of_project(tmp_path_factory.mktemp("project"))
    package = copy.folder / "workflow/my_lab"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "brighter.py").write_text(MODULE)
    (copy.folder / "observed/unit.txt").write_text("1")
    overlay = copy.overlay("brighter", OVERLAY)
    run = copy.snakemake(*TARGETS, overlays=(MINIATURE, overlay))
    assert run.status == 0, run.stdout + run.stderr
    assert run.jobs == DATA | WEIGHTS | {"reference": 3, "evaluate": 1, "tune_classical": 1}
    return copy, overlay


def stale(with_row: tuple[Copy, str]) -> dict[str, int]:
    copy, overlay = with_row
    return copy.snakemake("-n", *TARGETS, overlays=(MINIATURE, overlay)).jobs


def test_it_goes_through_the_graph_to_its_metrics(with_row):
    copy, _ = with_row
    zero_filled, _, row = (read_reconstructions([copy.folder / file])["video000"].samples for file in RECONSTRUCTIONS)
    assert np.allclose(row, 1.5 * zero_filled)
    with (copy.folder / METRICS).open() as file:
        assert len(list(csv.DictReader(file))) == 2
    assert stale(with_row) == {}


def test_it_is_tuned_without_a_prior(with_row):
    copy, _ = with_row
    found = yaml.safe_load((copy.folder / TUNED).read_text())["tasks"]["mri8"]["classical"][ROW]
    assert 0.75 <= found["brightness"] <= 1.5


def test_an_edit_of_its_module_makes_its_jobs_stale_and_no_other(with_row):
    copy, _ = with_row
    with copy.edited("workflow/my_lab/brighter.py", lambda text: text.replace("float(", "0.5 * float(")):
        assert stale(with_row) == {"reference": 1, "evaluate": 1, "tune_classical": 1}


def test_an_edit_of_another_classical_reconstruction_leaves_it(with_row):
    copy, _ = with_row
    with copy.edited(
        "workflow/step/classical/low_rank_sparse.py",
        lambda text: text.replace("    low_rank, sparse = separate", "    print()\n    low_rank, sparse = separate"),
    ):
        assert stale(with_row) == {"reference": 1}


def test_other_settings_make_its_jobs_stale_and_other_multiples_its_tuning(with_row):
    copy, _ = with_row
    brighter = copy.overlay("edit", OVERLAY.replace("brightness: 1.5", "brightness: 2.0"))
    assert stale((copy, brighter)) == {"reference": 1, "evaluate": 1, "tune_classical": 1}
    wider = copy.overlay("edit", OVERLAY.replace("[0.5, 1]", "[0.1, 1]"))
    assert stale((copy, wider)) == {"tune_classical": 1}


def test_settings_that_it_refuses_end_planning_with_one_line(with_row):
    copy, _ = with_row
    bad = copy.overlay("edit", OVERLAY.replace("brightness: 1.5", "brightness: -1"))
    run = copy.snakemake("-n", *TARGETS, overlays=(MINIATURE, bad))
    assert run.status == 1
    assert f"error: settings of {ROW}: brightness" in run.stderr


def test_an_edited_file_that_its_settings_name_makes_its_jobs_stale(with_row):
    copy, _ = with_row
    (copy.folder / "observed/unit.txt").write_text("2")
    assert stale(with_row) == {"reference": 1, "evaluate": 1, "tune_classical": 1}
