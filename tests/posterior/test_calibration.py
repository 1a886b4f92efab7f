"""Calibration: exact Gaussian posteriors pass, over-confident ones do not, and every statistic is what it says."""

import math

import numpy as np
import pytest
from step.config.calibration import Judgement
from step.errors import InputError
from step.posterior.calibration import (
    PIXEL,
    REFERENCE_DISTANCE,
    VideoCalibration,
    bin_by_spread,
    bright_pixels,
    compare_with_others,
    correlations,
    fair_crps,
    judge_video,
    rank_shares,
    reference_distances,
)
from step.posterior.exchange import examine, mean, resample, root_of_ratio, smallest_p
from step.posterior.quantiles import take_quantiles
from step.posterior.verdict import CONSISTENT, OVER_CONFIDENT, UNDECIDED, UNDER_CONFIDENT, UNEVEN, tabulate

N_VIDEOS, N_SAMPLES = 12, 7
SHAPE = (3, 8, 8)  # time, y, x
JUDGEMENT = Judgement(
    bright_fraction=0.1, interval=0.95, significance=0.01, resamples=1000, reference_points=10, spread_bins=4
)


class GaussianProblem:
    """A video of correlated pixels, of which noisy sums are measured: its posterior is known in closed form."""

    def __init__(self) -> None:
        places = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1).reshape(-1, 3)
        distances = np.square((places[:, None] - places[None]) / [2, 1.5, 1.5]).sum(axis=-1)
        self.prior = np.exp(-distances / 2) + 1e-6 * np.eye(len(places))
        generator = np.random.default_rng(0)
        self.operator = generator.normal(size=(20, len(places))) / np.sqrt(len(places))
        self.noise = 0.1
        data = self.operator @ self.prior @ self.operator.T + self.noise**2 * np.eye(20)
        self.gain = np.linalg.solve(data, self.operator @ self.prior).T
        posterior = self.prior - self.gain @ self.operator @ self.prior
        self.prior_factor, self.factor = (
            np.linalg.cholesky(one + 1e-9 * np.eye(len(places))) for one in (self.prior, posterior)
        )

    def members(self, generator: np.random.Generator, width: float, n_samples: int = N_SAMPLES) -> np.ndarray:
        """Return truth and samples (member, time, y, x) as brightness; `width` is relative to the exact posterior's."""
        truth = self.prior_factor @ generator.normal(size=len(self.prior))
        measured = self.operator @ truth + self.noise * generator.normal(size=len(self.operator))
        sampled = generator.normal(size=(n_samples, len(self.prior))) @ self.factor.T
        members = np.concatenate([truth[None], self.gain @ measured + width * sampled])
        return (0.5 + 0.08 * members).reshape(-1, *SHAPE).astype(np.float32)


@pytest.fixture(scope="module")
def problem() -> GaussianProblem:
    return GaussianProblem()


def judge(problem: GaussianProblem, width: float, seed: int, n_videos: int = N_VIDEOS) -> list[VideoCalibration]:
    generator = np.random.default_rng(seed)
    videos = [problem.members(generator, width) for _ in range(n_videos)]
    means = np.stack([members.mean(axis=0) for members in videos])
    return [
        judge_video(members, members.mean(axis=(1, 2, 3)), np.delete(means, number, axis=0), JUDGEMENT, seed)
        for number, members in enumerate(videos)
    ]


def verdicts(problem: GaussianProblem, width: float, n_studies: int) -> list[str]:
    tables = (tabulate(judge(problem, width, seed), JUDGEMENT, seed)[0] for seed in range(n_studies))
    return [rows[0]["verdict"] for rows in tables]


@pytest.mark.slow
def test_over_and_under_confidence_by_two_is_flagged_and_an_exact_posterior_is_not(problem):
    assert verdicts(problem, width=1.0, n_studies=10) == 10 * [CONSISTENT]
    assert verdicts(problem, width=0.5, n_studies=10) == 10 * [OVER_CONFIDENT]
    assert verdicts(problem, width=2.0, n_studies=10) == 10 * [UNDER_CONFIDENT]


def test_a_bias_as_large_as_the_spread_is_over_confidence(problem):
    generator = np.random.default_rng(0)
    videos = [problem.members(generator, 1.0) for _ in range(N_VIDEOS)]
    for members in videos:
        members[1:] += 2 * members[1:].std(axis=0).mean()
    judged = [judge_video(members, np.arange(8.0), np.empty((0, *SHAPE)), JUDGEMENT, 0) for members in videos]
    assert tabulate(judged, JUDGEMENT, 0)[0][0]["verdict"] == OVER_CONFIDENT


@pytest.mark.slow
def test_samples_that_spread_as_far_as_they_err_but_have_another_shape_are_not_called_calibrated():
    """Truths are exponential, samples normal, both of the same mean and width."""
    generator = np.random.default_rng(0)
    judged = []
    for _ in range(4 * N_VIDEOS):
        members = np.concatenate([generator.exponential(size=(1, *SHAPE)) - 1, generator.normal(size=(7, *SHAPE))])
        members = (0.5 + 0.05 * members).astype(np.float32)
        judged.append(judge_video(members, members.mean(axis=(1, 2, 3)), np.empty((0, *SHAPE)), JUDGEMENT, 0))
    [first, *_], _ = tabulate(judged, JUDGEMENT, 0)
    assert first["p"] > JUDGEMENT.significance
    assert first["verdict"] == UNEVEN


@pytest.mark.slow
def test_an_exact_posterior_gives_uniform_ranks_nominal_coverage_and_a_ratio_of_one(problem):
    judged = judge(problem, width=1.0, seed=1, n_videos=150)
    rows, ranks = tabulate(judged, JUDGEMENT, 0)
    for quantity in judged[0].ranks:
        shares = np.array([row["share"] for row in ranks if row["quantity"] == quantity])
        spread = np.array([video.ranks[quantity][0] for video in judged]).std(axis=0) / math.sqrt(len(judged))
        assert shares.sum() == pytest.approx(1)
        assert np.all(np.abs(shares - 1 / 8) < 4 * spread), quantity
    for name, margin in (("coverage", 0.03), ("tarp", 0.1)):
        chosen = [row for row in rows if row["statistic"] == name]
        assert [row["value"] for row in chosen] == pytest.approx([row["level"] for row in chosen], abs=margin), name
        assert all(row["expected_low"] <= row["level"] <= row["expected_high"] for row in chosen), name
    assert [row["level"] for row in rows if row["statistic"] == "coverage"] == [0.25, 0.5, 0.75]
    assert rows[0]["value"] == pytest.approx(1, abs=0.05)


@pytest.mark.slow
def test_over_confidence_by_two_is_low_coverage_ranks_at_the_ends_and_a_ratio_of_two(problem):
    rows, ranks = tabulate(judge(problem, width=0.5, seed=1, n_videos=100), JUDGEMENT, 0)
    # The exact posterior errs by the widths of mean and truth; the ratio is root (1 + 0.25 / 7) / (0.5 root 8 / 7).
    assert rows[0]["value"] == pytest.approx(math.sqrt((1 + 0.25 / 7) / (0.25 * 8 / 7)), rel=0.05)
    coverage = [row for row in rows if row["statistic"] == "coverage"]
    assert all(row["value"] < row["expected_low"] and row["p"] < 0.01 for row in coverage)
    shares = [row["share"] for row in ranks if row["quantity"] == PIXEL]
    assert min(shares[0], shares[-1]) > 1.5 * max(shares[1:-1])
    tarp = [row for row in rows if row["statistic"] == "tarp"]
    assert tarp[-1]["value"] < tarp[-1]["expected_low"]
    uneven = {row["quantity"]: row["p"] for row in rows if row["statistic"] == "rank_unevenness"}
    assert max(uneven[PIXEL], uneven[REFERENCE_DISTANCE], uneven["frame_brightness"]) < 0.01
    crps, error = (next(row for row in rows if row["statistic"] == name) for name in ("crps", "error_of_spread"))
    assert crps["value"] > crps["expected_high"]
    assert error["value"] > error["expected_high"]


@pytest.mark.slow
@pytest.mark.parametrize("n_pixels", [1, 5], ids=["all pixels as one", "five pixels"])
def test_the_exchange_is_an_exact_test_however_dependent_the_pixels_are(n_pixels):
    generator = np.random.default_rng(0)
    p_values = []
    for seed in range(400):
        members = generator.normal(size=(N_VIDEOS, N_SAMPLES + 1, n_pixels)).repeat(10, axis=2)
        by_member = np.stack([np.stack([one.mean(axis=1) for one in compare_with_others(m)], axis=1) for m in members])
        p_values.append(float(examine(by_member, root_of_ratio, resample(N_VIDEOS, 8, 300, seed), 0.95).p))
    shares = [np.mean(np.array(p_values) <= level) for level in (0.05, 0.2, 0.5)]
    assert shares == pytest.approx([0.05, 0.2, 0.5], abs=0.06)


@pytest.mark.slow
def test_counting_dependent_pixels_as_independent_would_reject_exact_posteriors():
    generator = np.random.default_rng(0)
    chi_squares, p_values = [], []
    for seed in range(100):
        videos = generator.normal(size=(N_VIDEOS, N_SAMPLES + 1, 5)).repeat(40, axis=2)
        shares = np.stack([rank_shares(members, generator) for members in videos])
        departure = np.square(shares[:, 0].mean(axis=0) - 1 / 8).sum()
        chi_squares.append(N_VIDEOS * 200 * departure * 8)
        finding = examine(
            shares, lambda by: np.square(mean(by) - 1 / 8).sum(axis=-1), resample(N_VIDEOS, 8, 300, seed), 0.95
        )
        p_values.append(finding.p_above)
    # 14.07 is the 95th percentile of chi-square with 7 degrees of freedom.
    assert np.mean(np.array(chi_squares) > 14.07) > 0.9
    assert np.mean(np.array(p_values) <= 0.05) < 0.12


def test_ties_are_ordered_at_random_and_do_not_count_as_covered():
    shares = rank_shares(np.zeros((8, 40000)), np.random.default_rng(0))
    assert shares == pytest.approx(np.full((8, 8), 1 / 8), abs=0.01)
    ordered = rank_shares(np.arange(4.0)[:, None], np.random.default_rng(0))
    assert np.array_equal(ordered, np.eye(4))


def test_bright_pixels_are_chosen_by_all_members_alike_since_by_the_truth_they_bias_the_ranks():
    generator = np.random.default_rng(0)
    members = generator.normal(size=(8, 1, 100, 100)) + generator.normal(size=(1, 100, 100)) + 1
    bright = bright_pixels(members, 0.3)
    assert np.array_equal(bright, bright_pixels(members[::-1], 0.3))
    by_truth = members[0] > 0.3 * members[0].max()
    shares, biased = (rank_shares(members[:, chosen], generator)[0] for chosen in (bright, by_truth))
    assert np.abs(shares - 1 / 8).max() < 0.03
    assert biased[-1] > 0.2
    with pytest.raises(InputError, match="dark everywhere"):
        bright_pixels(np.zeros((3, 1, 4, 4)), 0.1)


def test_errors_and_spreads_are_those_of_the_others_mean():
    values = np.random.default_rng(0).normal(size=(6, 50))
    errors, spreads = compare_with_others(values)
    for member in range(6):
        others = np.delete(values, member, axis=0)
        assert errors[member] == pytest.approx(np.square(values[member] - others.mean(axis=0)))
        assert spreads[member] == pytest.approx(others.var(axis=0, ddof=1) * 6 / 5)


def test_the_fair_crps_is_its_formula_and_the_same_for_few_and_many_samples():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(5, 30))
    for member, crps in enumerate(fair_crps(values)):
        others, truth = np.delete(values, member, axis=0), values[member]
        among = np.abs(others[:, None] - others[None]).sum(axis=(0, 1)) / (2 * 4 * 3)
        assert crps == pytest.approx((np.abs(others - truth).mean(axis=0) - among).mean())
    # E |X - Y| - E |X - X'| / 2 of standard normal numbers is 1 / root pi.
    for n_samples in (2, 20):
        crps = fair_crps(generator.normal(size=(n_samples + 1, 40000)))
        assert crps == pytest.approx(np.full(n_samples + 1, 1 / math.sqrt(math.pi)), abs=0.015)


def test_reference_distances_are_distances_from_points_between_the_means_of_other_videos():
    generator = np.random.default_rng(0)
    members, means = generator.normal(size=(4, *SHAPE)), generator.normal(size=(1, *SHAPE))
    found = reference_distances(members, means, 3, generator)
    squared = np.square(members - means[0]).sum(axis=(1, 2, 3))
    for point in range(3):
        assert found[:, point] - squared == pytest.approx(np.full(4, found[0, point] - squared[0]))
    between = reference_distances(members, np.stack([means[0], 0 * means[0]]), 50, generator)
    differences, ends = between[1] - between[0], np.square(members[1]).sum() - np.square(members[0]).sum()
    limits = sorted([ends, squared[1] - squared[0]])
    assert limits[0] - 1e-9 <= differences.min() < differences.max() <= limits[1] + 1e-9


def test_bins_hold_equally_many_pixels_by_increasing_spread():
    variances = np.array([[4.0, 1.0, 3.0, 2.0, 5.0, 6.0]])
    spreads, errors = bin_by_spread(variances, 10 * variances, 3)
    assert spreads.tolist() == [[1.5, 3.5, 5.5]]
    assert errors.tolist() == [[15, 35, 55]]


def test_spreads_that_are_the_errors_correlate_fully_and_constant_ones_do_not():
    values = np.random.default_rng(0).uniform(size=(2, 40))
    assert correlations(values, 3 * values + 1) == pytest.approx([1, 1])
    assert correlations(np.ones((2, 40)), values).tolist() == [0, 0]


def test_intervals_and_expectations_are_those_of_resampled_videos_and_exchanged_members():
    by_member = np.array([[10.0, 0.0], [12.0, 2.0]])
    finding = examine(by_member, mean, resample(2, 2, 4000, seed=0), 0.9)
    assert (finding.value, finding.low, finding.high) == (11, 10, 12)
    assert finding.expected == pytest.approx(6, abs=0.2)
    assert (finding.expected_low, finding.expected_high) == (1, 11)
    assert finding.p_above == pytest.approx(1 / 4, abs=0.03)
    assert finding.p_below == 1
    assert finding.p == pytest.approx(1 / 2, abs=0.06)


def test_with_too_few_videos_or_exchanges_there_is_no_verdict(problem):
    rows, _ = tabulate(judge(problem, width=0.3, seed=0, n_videos=2), JUDGEMENT, 0)
    assert rows[0]["verdict"] == UNDECIDED
    few = JUDGEMENT.model_copy(update={"resamples": 50})
    assert tabulate(judge(problem, width=0.3, seed=0), few, 0)[0][0]["verdict"] == UNDECIDED
    assert smallest_p(2, 8, 10**6) == 2 / 64


def test_one_video_has_everything_but_tarp(problem):
    rows, ranks = tabulate(judge(problem, width=1.0, seed=0, n_videos=1), JUDGEMENT, 0)
    assert "tarp" not in {row["statistic"] for row in rows}
    assert {row["quantity"] for row in ranks} == {
        PIXEL,
        "frame_brightness",
        "brightness",
        "contrast",
        "motion",
        "data_misfit",
    }


@pytest.mark.slow
def test_the_same_seed_gives_the_same_tables(problem):
    first, second = (tabulate(judge(problem, width=1.0, seed=5), JUDGEMENT, 7) for _ in range(2))
    assert first == second


def test_samples_that_cannot_be_judged_are_refused(problem):
    generator = np.random.default_rng(0)
    members = problem.members(generator, 1.0)
    with pytest.raises(InputError, match="all samples are the same"):
        judge_video(np.repeat(members[1:2], 8, axis=0), np.zeros(8), np.empty((0, *SHAPE)), JUDGEMENT, 0)
    with pytest.raises(InputError, match="not finite"):
        judge_video(np.where(members > 0.5, np.nan, members), np.zeros(8), np.empty((0, *SHAPE)), JUDGEMENT, 0)
    fewer = problem.members(generator, 1.0, n_samples=4)
    judged = [judge_video(one, np.arange(len(one)), np.empty((0, *SHAPE)), JUDGEMENT, 0) for one in (members, fewer)]
    with pytest.raises(InputError, match="videos have 4, 7 samples; sample equally many of each"):
        tabulate(judged, JUDGEMENT, 0)
    with pytest.raises(InputError, match="no videos"):
        tabulate([], JUDGEMENT, 0)


def test_quantiles_are_of_what_is_shown():
    samples = np.random.default_rng(0).normal(size=(9, 3, 2, 4, 4)).astype(np.float32)
    found = take_quantiles(samples, (0.0, 0.5, 1.0), "magnitude")
    magnitudes = np.linalg.norm(samples, axis=2)
    assert found.videos == pytest.approx(np.stack([magnitudes.min(0), np.sort(magnitudes, 0)[4], magnitudes.max(0)]))
    one_channel = take_quantiles(samples[:, :, :1], (0.25, 0.75), "unit_range")
    assert one_channel.videos == pytest.approx(np.quantile(samples[:, :, 0], [0.25, 0.75], axis=0), abs=1e-6)
    assert one_channel.levels.tolist() == [0.25, 0.75]
    with pytest.raises(InputError, match="2 channels"):
        take_quantiles(samples, (0.5,), "unit_range")
