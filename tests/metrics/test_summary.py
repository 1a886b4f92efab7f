"""The table, against numbers worked out by hand."""

import itertools
import math

import numpy as np
import pytest
from step.config.metrics import Evaluation
from step.errors import InputError
from step.io.features import VideoFeatures, missing_features
from step.metrics import catalogue
from step.metrics.significance import EXACT_UP_TO, RESAMPLES, holm, sign_flip_p, smallest_p
from step.metrics.summary import Distance, MethodScores, format_table, measure_distance, read_scores, summarise

METRICS = tuple(metric.name for metric in catalogue.METRICS)
OF_SOME_MEASUREMENTS = tuple(metric.name for metric in catalogue.OF_SOME_MEASUREMENTS)

NO_DISTANCE = Distance(None, None, None, "", "no FVD: no weights")
EVALUATION = Evaluation(metrics=(), bootstrap_resamples=20, interval=0.9)
TEXTS = {"optical_flow": "", "lpips_weights": "VGG16", "remark": ""}


def scores_with_psnr(*psnr: float, **others: float | None) -> MethodScores:
    alike = dict.fromkeys(METRICS, 0.5) | others
    return MethodScores({f"video{n:03d}": alike | {"psnr": value} for n, value in enumerate(psnr)})


def summary_of(scores: dict[str, MethodScores], paired_with: str | None = None, references=(), **distances) -> list:
    return summarise(scores, dict.fromkeys(scores, NO_DISTANCE) | distances, references, paired_with, frames=4, seed=0)


def features_of(seed: int, videos=("video000", "video001", "video002")) -> VideoFeatures:
    values = np.random.default_rng(seed).normal(seed, 1, (len(videos), 5)).astype(np.float32)
    return VideoFeatures(tuple(videos), values, 12, "I3D", "")


def test_rows_keep_their_order_and_have_mean_and_sample_deviation():
    rows = summary_of({"b": scores_with_psnr(20, 22, 24), "a": scores_with_psnr(1, 1, 1)})
    assert [row["method"] for row in rows] == ["b", "a"]
    assert rows[0]["psnr"] == 22
    assert rows[0]["psnr_std"] == pytest.approx(2)  # sqrt((4 + 0 + 4) / 2)
    assert (rows[0]["videos"], rows[0]["frames"]) == (3, 4)
    columns = ["method", *(name for metric in METRICS for name in (metric, f"{metric}_std"))]
    columns += ["fvd", "fvd_low", "fvd_high", "videos", "frames"]
    columns += ["optical_flow", "lpips_weights", "fvd_weights", "remarks"]
    assert list(rows[0]) == columns


def test_what_some_measurements_have_beside_the_metrics_is_read_and_averaged_too():
    name = OF_SOME_MEASUREMENTS[1]
    read = read_scores(
        [{"video": f"video{n:03d}", **dict.fromkeys(METRICS, "0.5"), name: str(n), **TEXTS} for n in range(3)], "file"
    )
    (row,) = summary_of({"a": read})
    assert (row[name], row[f"{name}_std"]) == (1, 1)
    assert OF_SOME_MEASUREMENTS[0] not in row


def test_paired_difference_and_its_standard_error_of_every_metric():
    scores = {"bcs": scores_with_psnr(20, 30, 25, ssim=0.75), "step_joint": scores_with_psnr(21, 33, 27)}
    bcs, joint = summary_of(scores, paired_with="step_joint")
    assert bcs["psnr_minus_step_joint"] == pytest.approx(-2)  # of -1, -3, -2
    assert bcs["psnr_minus_step_joint_se"] == pytest.approx(1 / math.sqrt(3))
    assert bcs["psnr_minus_step_joint_p"] == 0.25  # 2 of 8 signs have a sum as large
    assert (bcs["ssim_minus_step_joint"], bcs["ssim_minus_step_joint_se"]) == (0.25, 0)
    assert (joint["psnr_minus_step_joint"], joint["psnr_minus_step_joint_se"]) == (0, 0)
    assert joint["psnr_minus_step_joint_p"] is None
    assert joint["psnr_minus_step_joint_p_holm"] is None


def test_the_correction_counts_methods_and_no_references():
    videos = range(10)
    joint = scores_with_psnr(*(30 + n / 10 for n in videos))
    worse = scores_with_psnr(*(28 + n / 10 for n in videos))
    alike = scores_with_psnr(*(30 + n / 10 + (-1) ** n for n in videos))
    scores = {"bis": worse, "bcs": alike, "step_joint": joint, "dirty": worse}
    bis, bcs, _, dirty = summary_of(scores, "step_joint", references=["dirty"])
    column = "psnr_minus_step_joint"
    assert bis[f"{column}_p"] == dirty[f"{column}_p"] == 2 / 2**10
    assert bis[f"{column}_p_holm"] == 2 * 2 / 2**10  # two methods, not three
    assert bcs[f"{column}_p_holm"] == 1
    assert dirty[f"{column}_p_holm"] is None


@pytest.mark.parametrize("differences", [[1.0, -0.5, 2.0, 0.25], [0.1, 0.2, 0.3], [1.0, -1.0], [0.0, 0.0, 0.0]])
def test_p_is_the_share_of_all_signs_as_far_from_zero(differences):
    sums = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    by_hand = sum(abs(total) >= abs(sum(differences)) - 1e-12 for total in sums) / len(sums)
    assert sign_flip_p(np.array(differences), seed=0) == by_hand
    assert sign_flip_p(np.array(differences), seed=1) == by_hand  # exact: nothing is sampled


def test_p_of_many_videos_is_sampled_never_zero_and_the_same_for_one_seed():
    generator = np.random.default_rng(0)
    same = generator.normal(0.2, 1, EXACT_UP_TO)
    more = np.concatenate([same, [0.0]])  # another video without a difference changes no sum
    assert sign_flip_p(more, seed=3) == pytest.approx(sign_flip_p(same, seed=3), abs=0.01)
    assert sign_flip_p(more, seed=3) == sign_flip_p(more, seed=3)
    assert 0 < sign_flip_p(np.ones(40), seed=0) <= 2 / RESAMPLES


@pytest.mark.parametrize("n", [2, 8, EXACT_UP_TO, 30])
def test_the_smallest_p_is_that_of_equal_differences(n):
    assert sign_flip_p(np.ones(n), seed=0) >= smallest_p(n)
    assert n > EXACT_UP_TO or sign_flip_p(np.ones(n), seed=0) == smallest_p(n)


def test_nothing_is_tested_with_one_video_or_an_undefined_difference():
    assert sign_flip_p(np.array([1.0]), seed=0) is None
    assert sign_flip_p(np.array([1.0, math.nan]), seed=0) is None


def test_holm_against_an_example_by_hand():
    corrected = holm({"a": 0.01, "b": 0.04, "none": None, "c": 0.03, "d": 0.005})
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 * 1 raised to its predecessor's 0.06
    assert corrected == pytest.approx({"a": 0.03, "b": 0.06, "none": None, "c": 0.06, "d": 0.02})
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}


def test_videos_are_paired_by_name_not_by_position():
    joint = scores_with_psnr(20, 30, 25)
    shuffled = MethodScores(dict(reversed(joint.videos.items())))
    rows = summary_of({"shuffled": shuffled, "step_joint": joint}, "step_joint")
    assert rows[0]["psnr_minus_step_joint_se"] == 0


def test_one_video_has_a_mean_but_no_spread():
    [row] = summary_of({"bis": scores_with_psnr(20)}, "bis")
    assert row["psnr"] == 20
    assert math.isnan(row["psnr_std"])
    assert math.isnan(row["psnr_minus_bis_se"])


def test_a_metric_undefined_for_one_video_is_undefined_in_the_mean():
    static = scores_with_psnr(20, 22)
    videos = {**static.videos, "video001": {**static.videos["video001"], "difference_correlation": math.nan}}
    scores = {"static": MethodScores(videos), "step_joint": static}
    row, _ = summary_of(scores, "step_joint")
    assert math.isnan(row["difference_correlation"])
    assert math.isnan(row["difference_correlation_minus_step_joint"])
    assert row["difference_correlation_minus_step_joint_p"] is None
    assert row["ssim"] == 0.5


def test_a_metric_that_could_not_be_had_is_empty_and_the_row_says_why():
    scores = {
        "bis": MethodScores(scores_with_psnr(20, 22, lpips=None).videos, remarks=("no LPIPS: no weights",)),
        "step_joint": scores_with_psnr(20, 22),
    }
    bis, joint = summary_of(scores, "step_joint")
    assert bis["lpips"] is None
    assert bis["lpips_std"] is None
    assert bis["lpips_minus_step_joint"] is None
    assert joint["lpips_minus_step_joint_p_holm"] is None
    assert bis["remarks"] == "no LPIPS: no weights; no FVD: no weights"
    assert "nan" not in format_table([bis])


def test_methods_on_different_videos_are_refused():
    with pytest.raises(InputError, match=r"a and b differ in the videos \['video002'\]"):
        summary_of({"a": scores_with_psnr(1, 2), "b": scores_with_psnr(1, 2, 3)})


def test_pairing_with_a_method_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="no method step_joint"):
        summary_of({"a": scores_with_psnr(1)}, "step_joint")
    with pytest.raises(InputError, match="no method dirty"):
        summary_of({"a": scores_with_psnr(1)}, references=["dirty"])


def test_the_distance_of_few_videos_carries_its_caveat():
    videos = ("video002", "video000", "video001")  # in any order
    truth, features = features_of(0), features_of(1)
    distance = measure_distance(features, truth, videos, EVALUATION, seed=0)
    assert distance.value > 0
    assert distance.low < distance.high
    assert distance.weights == "I3D"
    assert distance.remark == "FVD of 3 videos in 5 dimensions is biased upwards; compare rows only"
    order = [2, 0, 1]
    shuffled = VideoFeatures(tuple(features.videos[n] for n in order), features.features[order], 12, "I3D", "")
    assert measure_distance(shuffled, truth, videos, EVALUATION, seed=0).low == pytest.approx(distance.low)


def test_no_distance_without_features_and_of_one_video():
    features = features_of(0)
    missing = measure_distance(missing_features("no weights"), features, features.videos, EVALUATION, seed=0)
    assert missing == NO_DISTANCE
    one = features_of(0, ("video000",))
    assert measure_distance(one, one, one.videos, EVALUATION, seed=0).value is None


def test_features_of_other_videos_are_refused():
    features = features_of(0)
    with pytest.raises(InputError, match=r"differ in the videos \['video002'\]"):
        measure_distance(features, features, features.videos[:2], EVALUATION, seed=0)


def as_text(scores: MethodScores) -> list[dict[str, str]]:
    return [
        {"video": video, **{name: "" if value is None else str(value) for name, value in of.items()}, **TEXTS}
        for video, of in scores.videos.items()
    ]


def test_scores_survive_their_table():
    scores = scores_with_psnr(1 / 3, math.nan, lpips=None)
    read = read_scores(as_text(scores), "table.csv")
    assert read.videos["video000"] == scores.videos["video000"]
    assert math.isnan(read.videos["video001"]["psnr"])
    assert read.lpips_weights == "VGG16"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "table.csv has no videos"),
        ([{"video": "video000"}], "table.csv has no column psnr"),
        ([{"video": "video000", **dict.fromkeys(METRICS, "x"), **TEXTS}], "table.csv: could not convert"),
        ([{"video": "video000", **dict.fromkeys(METRICS, ""), **TEXTS}], "table.csv: could not convert"),
    ],
)
def test_a_table_that_is_not_one_is_refused(rows, message):
    with pytest.raises(InputError, match=message):
        read_scores(rows, "table.csv")


def test_the_printed_table_has_a_line_per_method_and_marks_oracles():
    scores = scores_with_psnr(20, 22)
    oracle = MethodScores(scores.videos, optical_flow="truth (oracle), TV-L1")
    text = format_table(summary_of({"bis": scores, "bilinear": oracle}))
    header, bis, bilinear, note = text.splitlines()
    assert header.split()[:2] == ["method", "psnr"]
    assert "21 ± 1.4" in bis
    assert "†" not in bis
    assert bilinear.startswith("bilinear†")
    assert "oracle" in note
