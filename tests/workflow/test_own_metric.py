"""A metric that the project does not know: one module, which the configuration names."""

import csv

import pytest

pytestmark = pytest.mark.study

MINIATURE = "config/miniature.yaml"
MODULE = """
'''How bright the brightest pixel is, relative to that of the truth.'''

from step.metrics.metric import Metric


def ratio(scored):
    return float(scored.frames.max() / scored.true_frames.max())


METRIC = Metric("peak_ratio", "Peak ratio", 3, None, ratio)
"""
TABLE = "results/miniature/mri8/tour/metrics.csv"
ENTRY = "evaluation: {metrics: [peaks]}\n"


def test_it_goes_through_the_graph_to_the_table_and_an_edit_makes_stale_what_is_scored(tour_to_edit):
    copy = tour_to_edit
    assert copy.snakemake("-n", TABLE, overlays=(MINIATURE,)).jobs == {}
    (copy.folder / "workflow/peaks.py").write_text(MODULE)
    entry = copy.overlay("peaks", ENTRY)
    run = copy.snakemake(TABLE, overlays=(MINIATURE, entry))
    assert run.status == 0, run.stdout + run.stderr
    with (copy.folder / TABLE).open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    jobs = {"evaluate": len(rows), "tabulate_tour": 1}
    assert run.jobs == jobs
    assert float(rows["static"]["peak_ratio"]) <= 1
    assert all(float(row["peak_ratio"]) > 0 for row in rows.values())
    with copy.edited("workflow/peaks.py", lambda text: text.replace("frames.max()", "frames.min()")):
        assert copy.snakemake("-n", TABLE, overlays=(MINIATURE, entry)).jobs == jobs
