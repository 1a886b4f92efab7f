"""PSNR as the paper's authors take it of complex images: one mean squared error a frame, of all its channels."""

from step.metrics.authors import REMARK, score_as_authors, videos_of
from step.metrics.metric import Metric, ScoredVideo
from step.metrics.psnr import METRIC as PSNR
from step.metrics.psnr import psnr


def psnr_authors(scored: ScoredVideo) -> float | None:
    """Return the PSNR in dB, averaged over frames; None and nan as of `score_as_authors`."""
    _, truth = videos_of(scored)
    time, channels, height, width = truth.shape
    return score_as_authors(scored, psnr, (time, channels * height, width))


METRIC = Metric(
    "psnr_authors", PSNR.label, PSNR.decimals, "higher", psnr_authors, PSNR.unit, REMARK, may_be_missing=True
)
