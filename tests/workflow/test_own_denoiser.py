"""An architecture of denoisers that the project does not know: one module; the one of docs/denoisers.md."""

import csv
import json
import math

import pytest
from documented_code import DENOISERS, blocks, module
from project_copy import ONE_THREAD

pytestmark = pytest.mark.study

MINIATURE = "config/miniature.yaml"
RESULTS = "results/miniature"
METRICS = [f"{RESULTS}/{task}/metrics/step_joint.csv" for task in ("mri8", "blackhole")]
JOBS = {"train_denoiser": 2, "sample": 1, "evaluate": 1}


@pytest.fixture(scope="module")
def with_column(tour_to_edit):
    """A study whose hearts are denoised by the architecture of the document; its autoencoders are trained already."""
    (tour_to_edit.folder / "workflow/column.py").write_text(module(DENOISERS, "column.py"))
    [entry] = blocks(DENOISERS, "yaml")
    return tour_to_edit, tour_to_edit.overlay("column", entry)


def test_it_goes_through_training_and_sampling_to_its_metrics_and_edits_make_stale_what_uses_it(with_column):
    copy, overlay = with_column
    run = copy.snakemake(*METRICS, *ONE_THREAD, overlays=(MINIATURE, overlay))
    assert run.status == 0, run.stdout + run.stderr
    assert run.jobs == JOBS  # of hearts alone
    with (copy.folder / METRICS[0]).open() as file:
        assert all(math.isfinite(float(row["psnr"])) for row in csv.DictReader(file))
    network = copy.folder / RESULTS / "mri/priors/joint"
    assert json.loads((network / "step.json").read_text())["architecture"] == "column"
    assert json.loads((network / "config.json").read_text())["_class_name"] == "Column"
    with copy.edited("workflow/column.py", lambda text: text.replace("torch.relu(", "torch.relu(1 * ")):
        assert copy.snakemake("-n", *METRICS, overlays=(MINIATURE, overlay)).jobs == JOBS
    wider = copy.overlay("wider", overlay.read_text().replace("width: 16", "width: 20"))
    assert copy.snakemake("-n", *METRICS, overlays=(MINIATURE, wider)).jobs == JOBS


WRONG = {
    "no such module": ("architecture: column", "architecture: row", "priors.mri: architecture is 'row', of which"),
    "a setting that it lacks": ("{width: 16}", "{depth: 16}", "settings of the architecture column: width: missing"),
}


@pytest.mark.parametrize(("old", "new", "line"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(with_column, old, new, line):
    copy, overlay = with_column
    wrong = copy.overlay("wrong", overlay.read_text().replace(old, new))
    run = copy.snakemake(*METRICS, overlays=(MINIATURE, wrong))
    assert run.status != 0
    assert line in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
