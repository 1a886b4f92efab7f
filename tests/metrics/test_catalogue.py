"""Every metric says in one place what it is called and which way is better; others plug in by their modules' names."""

import importlib
import math
import pkgutil

import numpy as np
import pytest
import step.metrics
from step.errors import InputError
from step.metrics import catalogue
from step.metrics.metric import Metric, ScoredVideo
from step.metrics.summary import format_table, read_scores, summarise
from step.tables.methods import method_document
from step.tables.task_table import arrange

MODULE = """
import numpy as np
from step.metrics.metric import Metric


def worst_error(scored):
    return float(np.abs(scored.frames - scored.true_frames).max())


METRIC = Metric("worst_error", "Worst error", 1, "lower", worst_error)
"""


@pytest.fixture
def worst_error(tmp_path, monkeypatch) -> Metric:
    (tmp_path / "my_worst_error.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    [metric] = catalogue.own_metrics(["my_worst_error"])
    return metric


def test_every_module_that_has_a_metric_is_in_the_catalogue_under_its_name():
    every = [module.name for module in pkgutil.iter_modules(step.metrics.__path__)]
    assert set(catalogue.OFFERED) < set(every)
    names = [f"step.metrics.{name}" for name in every if name not in catalogue.OFFERED]
    found = [module.METRIC for module in map(importlib.import_module, names) if hasattr(module, "METRIC")]
    assert {metric.name for metric in found} == catalogue.BY_NAME.keys() - {
        metric.name for metric in catalogue.OF_SOME_MEASUREMENTS
    }
    assert all(catalogue.BY_NAME[metric.name] is metric for metric in found)


def test_headings_and_axes_are_the_papers_words():
    shown = {name: (metric.heading, metric.axis_label) for name, metric in catalogue.BY_NAME.items()}
    assert shown["psnr"] == ("PSNR ↑", "PSNR [dB]")
    assert shown["d_psnr"] == ("d-PSNR ↑", "d-PSNR [dB]")
    assert shown["data_misfit"] == ("Data misfit ↓", "data misfit")
    assert shown["difference_correlation"] == ("Difference correlation ↑ (ours)", "difference correlation")
    assert shown["ssim_authors"][0] == "SSIM ↑, as the authors scale"
    assert shown["chi2_closure_phase_full"][0] == "χ² of closure phases, with covariance"
    assert catalogue.BY_NAME["psnr"].say(31.25) == "PSNR 31.2 dB"


def test_a_metric_of_your_own_scores_and_has_its_columns(worst_error):
    truth = np.zeros((2, 4, 4))
    assert worst_error.score(ScoredVideo(truth + 0.25, truth)) == 0.25
    names = [*(metric.name for metric in catalogue.METRICS), "worst_error"]
    texts = {"optical_flow": "", "lpips_weights": "", "remark": ""}
    tables = {
        method: [{"video": f"video{n}", **dict.fromkeys(names, str(score + n)), **texts} for n in range(2)]
        for method, score in (("bis", 0.5), ("bcs", 0.25))
    }
    scores = {method: read_scores(rows, method, [worst_error]) for method, rows in tables.items()}
    none = type("Distance", (), {"value": None, "low": None, "high": None, "weights": "", "remark": ""})
    rows = summarise(scores, dict.fromkeys(scores, none), [], "bis", 4, 0)
    assert [row["worst_error"] for row in rows] == [1.0, 0.75]
    assert rows[1]["worst_error_minus_bis"] == -0.25
    assert math.isclose(rows[0]["worst_error_std"], math.sqrt(0.5))
    assert "worst_error" in format_table(rows).splitlines()[0]
    written = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    table = arrange("mri8", "mri", written, ["bis", "bcs"], "metrics.csv", [worst_error])
    document = method_document("Table", [table], {}, "bis")
    score, difference = document.parts
    assert score.columns[-1] == difference.columns[-1] == "Worst error ↓"
    assert [(line[-1].text, line[-1].look) for line in score.lines] == [("1.0 (0.7)", "second"), ("0.8 (0.7)", "best")]


def test_without_it_a_table_that_should_have_it_is_refused(worst_error):
    row = {metric.name: "0.5" for metric in catalogue.METRICS}
    with pytest.raises(InputError, match="has no column worst_error"):
        read_scores(
            [{"video": "a", **row, "optical_flow": "", "lpips_weights": "", "remark": ""}], "bis.csv", [worst_error]
        )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MODULE.replace("METRIC =", "SCORE ="), "my_metric has no METRIC"),
        (MODULE.replace('"worst_error", "W', '"psnr", "W'), "my_metric is called psnr, as another metric is"),
    ],
)
def test_a_module_that_is_no_metric_of_its_own_is_refused(tmp_path, monkeypatch, text, says):
    (tmp_path / "my_metric.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "my_metric", raising=False)
    with pytest.raises(InputError, match=says):
        catalogue.own_metrics(["my_metric"])


def test_a_metric_that_is_nowhere_is_named():
    with pytest.raises(InputError, match=r"evaluation\.metrics is 'nowhere'"):
        catalogue.own_metrics(["nowhere"])
