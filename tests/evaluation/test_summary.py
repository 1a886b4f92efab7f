"""The table, against numbers worked out by hand."""

import math

import pytest
from step.errors import InputError
from step.evaluation.scores import METRICS
from step.evaluation.summary import format_table, read_scores, summarise


def scores_with_psnr(*psnr: float) -> dict[str, dict[str, float]]:
    return {f"video{n:03d}": dict.fromkeys(METRICS, 0.5) | {"psnr": value} for n, value in enumerate(psnr)}


def test_rows_keep_their_order_and_have_mean_and_sample_deviation():
    rows = summarise({"b": scores_with_psnr(20, 22, 24), "a": scores_with_psnr(1, 1, 1)}, paired_with=None)
    assert [row["method"] for row in rows] == ["b", "a"]
    assert rows[0]["psnr"] == 22
    assert rows[0]["psnr_std"] == pytest.approx(2)  # sqrt((4 + 0 + 4) / 2)
    assert rows[0]["videos"] == 3
    columns = ["method", *(name for metric in METRICS for name in (metric, f"{metric}_std")), "videos"]
    assert list(rows[0]) == columns


def test_paired_difference_and_its_standard_error():
    scores = {"bcs": scores_with_psnr(20, 30, 25), "step_joint": scores_with_psnr(21, 33, 27)}
    bcs, joint = summarise(scores, paired_with="step_joint")
    assert bcs["psnr_minus_step_joint"] == pytest.approx(-2)  # of -1, -3, -2
    assert bcs["psnr_minus_step_joint_se"] == pytest.approx(1 / math.sqrt(3))
    assert (joint["psnr_minus_step_joint"], joint["psnr_minus_step_joint_se"]) == (0, 0)


def test_videos_are_paired_by_name_not_by_position():
    shuffled = dict(reversed(scores_with_psnr(20, 30, 25).items()))
    rows = summarise({"shuffled": shuffled, "step_joint": scores_with_psnr(20, 30, 25)}, paired_with="step_joint")
    assert rows[0]["psnr_minus_step_joint_se"] == 0


def test_one_video_has_a_mean_but_no_spread():
    [row] = summarise({"bis": scores_with_psnr(20)}, paired_with="bis")
    assert row["psnr"] == 20
    assert math.isnan(row["psnr_std"])
    assert math.isnan(row["psnr_minus_bis_se"])


def test_a_metric_undefined_for_one_video_is_undefined_in_the_mean():
    [row] = summarise({"static": scores_with_psnr(20, math.nan)}, paired_with=None)
    assert math.isnan(row["psnr"])
    assert row["ssim"] == 0.5


def test_methods_on_different_videos_are_refused():
    with pytest.raises(InputError, match=r"a and b differ in the videos \['video002'\]"):
        summarise({"a": scores_with_psnr(1, 2), "b": scores_with_psnr(1, 2, 3)}, paired_with=None)


def test_pairing_with_a_method_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="no method step_joint"):
        summarise({"a": scores_with_psnr(1)}, paired_with="step_joint")


def test_scores_survive_their_table():
    scores = scores_with_psnr(1 / 3, math.nan)
    rows = [{"video": video, **{name: str(value) for name, value in of.items()}} for video, of in scores.items()]
    read = read_scores(rows, "table.csv")
    assert read["video000"] == scores["video000"]
    assert math.isnan(read["video001"]["psnr"])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "table.csv has no videos"),
        ([{"video": "video000"}], "table.csv has no column psnr"),
        ([{"video": "video000", **dict.fromkeys(METRICS, "x")}], "table.csv: could not convert"),
    ],
)
def test_a_table_that_is_not_one_is_refused(rows, message):
    with pytest.raises(InputError, match=message):
        read_scores(rows, "table.csv")


def test_the_printed_table_has_a_line_per_method():
    text = format_table(summarise({"bis": scores_with_psnr(20, 22)}, paired_with=None))
    header, line = text.splitlines()
    assert header.split()[:2] == ["method", "psnr"]
    assert "21 ± 1.4" in line
