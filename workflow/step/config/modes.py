"""The `modes` section: how posterior samples are described, and when they are said to form more than one mode."""

from typing import Annotated

from pydantic import Field

from step.config.sections import Count, Fraction, ModuleName, Name, NonNegative, Positive, Section

Share = Annotated[float, Field(gt=0, lt=1)]


class Clustering(Section):
    """When the samples of one posterior are said to form more than one mode."""

    explained_variance: Share = Field(
        description="share of the variance of the standardised descriptors that the principal components keep"
    )
    max_components: Count = Field(description="principal components, at most")
    samples_per_component: Count = Field(description="samples that there must be for each principal component")
    max_modes: Count = Field(description="largest number of modes that is tried, as a mixture of so many Gaussians")
    fewest_samples: Count = Field(description="samples of a mode, at least: fewer are outliers")
    starts: Count = Field(description="starts of each fit of a mixture, of which the likeliest is kept")
    regularisation: Positive = Field(
        description="added to the variances of a mixture's Gaussians, as a share of the samples' mean variance along "
        "a component"
    )
    evidence: NonNegative = Field(
        description="what the Bayesian information criterion of several modes must be below that of one (10: very "
        "strong evidence by Kass and Raftery 1995)"
    )
    gap_level: Share = Field(
        description="significance level of the gap between any two modes (Silverman's test of the distances, along the "
        "samples, from the centre of either mode)"
    )
    gap_resamples: Count = Field(description="smoothed bootstrap resamples of that test")
    neighbours: Count = Field(description="nearest samples of each sample that distances along the samples step to")
    stability_resamples: Count = Field(description="bootstrap resamples that are clustered anew")
    least_stability: Fraction = Field(
        description="agreement of several modes over the resamples, at least (mean adjusted Rand index: 1 is the "
        "same modes, 0 is chance)"
    )
    share_resamples: Count = Field(description="bootstrap resamples for the interval of a mode's share")
    interval: Share = Field(description="coverage of the interval of a mode's share")
    sense_agreement: Annotated[float, Field(gt=0.5, le=1)] = Field(
        description="share of a mode's samples that must turn the same way for the mode to have a sense of rotation"
    )


class Modes(Clustering):
    """What the samples of each domain are described by, and when they form more than one mode."""

    descriptors: dict[Name, ModuleName] = Field(
        description="for each domain a module of `step.posterior.descriptors`: `ring`, `heart`, or `general` for any "
        "video; or any importable module with `describe`"
    )
