"""SSIM as the paper's authors take it of complex images: one index of structure a channel."""

from step.metrics.authors import REMARK, score_as_authors, videos_of
from step.metrics.metric import Metric, ScoredVideo
from step.metrics.ssim import METRIC as SSIM
from step.metrics.ssim import ssim


def ssim_authors(scored: ScoredVideo) -> float | None:
    """Return the SSIM, averaged over frames and channels; None and nan as of `score_as_authors`."""
    _, truth = videos_of(scored)
    time, channels, height, width = truth.shape
    return score_as_authors(scored, ssim, (time * channels, height, width))


METRIC = Metric("ssim_authors", SSIM.label, SSIM.decimals, "higher", ssim_authors, remark=REMARK, may_be_missing=True)
