"""The sections `uncertainty` and `calibration`: how far posterior samples spread, and whether they err as far."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from step.config.sections import Count, Fraction, Name, Section

ProperFraction = Annotated[float, Field(gt=0, lt=1)]


class Uncertainty(Section):
    """How posterior samples are summarised, besides their mean and standard deviation."""

    interval: ProperFraction = Field(
        description="probability that the central interval of a physical quantity, such as a ring's diameter or an "
        "ejection fraction, is to hold the true value with"
    )
    recalibration: bool = Field(
        description="whether spreads, quantiles and intervals are multiplied by the error over spread of validation "
        "videos (the first `tuning.videos` of them, `calibration.samples` samples each), and said to be. Test videos "
        "show both; it needs a description of samples (`modes.descriptors`). false: they are those of the samples"
    )
    quantiles: tuple[Fraction, ...] = Field(
        description="quantiles over the samples that become videos, in ascending order; pictures show the first and "
        "the last"
    )

    @model_validator(mode="after")
    def _ascending(self) -> "Uncertainty":
        if len(self.quantiles) < 2 or any(low >= high for low, high in pairwise(self.quantiles)):
            raise ValueError(f"quantiles are {list(self.quantiles)}; give two or more, the smallest first")
        return self


class Judgement(Section):
    """How the calibration of samples is judged."""

    bright_fraction: ProperFraction = Field(
        description="pixels count where the mean of the truth and all samples exceeds this fraction of its largest "
        "value in the video; elsewhere all are dark alike"
    )
    interval: ProperFraction = Field(
        description="coverage of the bootstrap intervals over videos, and of the bands expected under calibration"
    )
    significance: ProperFraction = Field(
        description="level of the test behind the verdict: how often an exact posterior is called over- or "
        "under-confident"
    )
    resamples: Count = Field(description="bootstrap resamples of the videos, and exchanges of truths with samples")
    reference_points: Count = Field(description="random points of each video, the distances from which TARP ranks")
    spread_bins: Count = Field(
        description="bins of equally many pixels, by their predicted spread, in which it is compared with the error"
    )


class Calibration(Judgement):
    """Whether posterior samples spread as far as they err, on test videos whose truth is known."""

    tasks: tuple[Name, ...] = Field(description="tasks whose calibration is measured")
    methods: tuple[Name, ...] = Field(description="methods whose samples are taken, in the order of the picture")
    samples: Annotated[int, Field(ge=2, strict=True)] = Field(
        description="L, posterior samples of each test video; the first of them are those of the tables"
    )
