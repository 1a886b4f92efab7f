"""The `tasks` and `methods` sections: what is measured and how it is reconstructed (Table 2)."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from step.config.sections import Count, Name, NonNegative, Positive, Section


class Measurement(Section):
    """The forward model of a task: the module that implements it, and that module's own settings.

    `model` names a module of `step.physics`, or any importable module by its dotted name. The other keys are
    checked by the module's own `Settings`.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    model: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$")] = Field(
        description="a module of `step.physics`, or any importable module, with `Settings` and `build`"
    )


class CartesianMri(Section):
    """Cartesian k-space sampling with one mask for all frames (Eqs. 14, 15)."""

    model: Literal["mri"] = Field(description="the module `step.physics.mri`")
    acceleration: Count = Field(description="R: every R-th phase-encode line is measured")
    acs_lines: Annotated[int, Field(ge=0)] = Field(
        description="number of auto-calibration lines: the central ones, measured always"
    )
    noise_level: NonNegative = Field(
        description="standard deviation of the noise added to real and imaginary part of each measured "
        "sample, in units of the video, orthonormal FFT"
    )


def _section_of(measurement: object) -> str:
    """Return which section checks a measurement: a known forward model is checked by its own alone."""
    model = measurement.get("model") if isinstance(measurement, dict) else getattr(measurement, "model", None)
    return "[mri]" if model == "mri" else "[other]"


AnyMeasurement = Annotated[
    Annotated[CartesianMri, Tag("[mri]")] | Annotated[Measurement, Tag("[other]")], Discriminator(_section_of)
]


class Annealing(Section):
    """The noise levels of Algorithm 1: a rho grid from sigma_max to sigma_min, then 0."""

    levels: Count = Field(description="K, number of noise levels (Table 2: number of steps)")
    sigma_max: Positive = Field(description="first and largest level, in units of the latent (Table 2: final time)")
    sigma_min: Positive = Field(description="last level before 0, in units of the latent")
    rho: Positive = Field(description="exponent of the grid")


class Ode(Section):
    """The probability-flow ODE (Eq. 4), Euler on a rho grid."""

    steps: Count = Field(description="N, Euler steps at each annealing level (Table 2: PF-ODE steps)")
    sigma_min: Positive = Field(description="noise level at which the integration ends, in units of the latent")
    rho: Positive = Field(description="exponent of the grid")


class Mcmc(Section):
    """The Markov chain at each annealing level (Eqs. 5, 6)."""

    steps: Count = Field(description="steps per annealing level (Table 2: number of steps)")
    damping: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="gamma (Table 2: scaling factor); 0 is Langevin Monte Carlo"
    )
    step_size_squared: Positive = Field(description="eta = h^2 at the first level (Table 2: step size square)")
    step_decay: Positive = Field(description="r: eta_k = eta (1 + k / (K + 1) (r - 1))")
    noise_level: Positive = Field(
        description="tau, the standard deviation that the likelihood assumes (Table 2: observation noise "
        "level): of the measurement's noise and the decoder's error together"
    )
    prior_score: Literal["exact", "frozen", "gaussian"] = Field(
        description="how the prior's score is had: at every step (`exact`), once per annealing level "
        "(`frozen`), or from a `gaussian` around the PF-ODE's solution"
    )
    prior_score_sigma: Positive = Field(
        description="noise level at which the network gives the prior's score, in units of the latent"
    )
    gaussian_width: Positive = Field(
        description="with prior_score `gaussian`: the Gaussian's standard deviation, in units of the level's sigma"
    )
    gradient_clip: Positive | None = Field(
        description="bound on each element of tau^2 times the gradient of the negative log-likelihood; null for none"
    )
    limit_step_to_sigma: bool = Field(description="whether h is kept at or below the annealing level's sigma")


class Sampler(Section):
    """Decoupled annealing posterior sampling (Algorithm 1)."""

    annealing: Annealing
    ode: Ode
    mcmc: Mcmc
    frames_per_chunk: Count = Field(
        description="frames of a video whose decoder gradient is computed at once; bounds the memory, not the result"
    )


class TotalVariation(Section):
    """The classical reference: isotropic total variation over time, y and x, by proximal gradient steps."""

    weight: Positive = Field(
        description="weight of the total variation against half the squared residual, in units of the video"
    )
    iterations: Count = Field(description="iterations of the outer loop")


class Task(Section):
    """One inverse problem."""

    domain: Name = Field(description="the domain whose videos and priors it uses")
    measurement: AnyMeasurement
    samples: Count = Field(description="posterior samples drawn per test video; metrics are of the first one")
    videos_per_job: Count = Field(description="test videos reconstructed by one job, in one batch")
    sampler: Sampler
    total_variation: TotalVariation


class Method(Section):
    """One way to reconstruct: a prior and a source of the sampler's noise."""

    prior: Literal["image", "video", "joint"] = Field(
        description="the image prior, the spatiotemporal prior trained on videos alone, or the jointly trained one"
    )
    noise: Literal["independent", "batch_consistent"] = Field(
        description="noise of Algorithm 1, lines 1 and 9: drawn for each frame (`independent`), or once for all of them"
    )
