"""The `tasks` and `methods` sections: what is measured and how it is reconstructed (Table 2)."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from step.config.sections import Count, Name, NonNegative, Positive, Section


class Measurement(Section):
    """The forward model of a task: the module that implements it, and that module's own settings.

    `model` names a module of `step.physics`, or any importable module by its dotted name. The other keys are
    checked by the module's own `Settings`.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    model: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$")]


class CartesianMri(Section):
    """Cartesian k-space sampling with one mask for all frames (Eqs. 14, 15)."""

    model: Literal["mri"]
    acceleration: Count = Field(description="R: every R-th phase-encode line is measured")
    acs_lines: Annotated[int, Field(ge=0)] = Field(description="central lines that are always measured")
    noise_level: NonNegative = Field(
        description="standard deviation of the noise added to real and imaginary part of each measured sample, in "
        "units of the video, orthonormal FFT"
    )


class Annealing(Section):
    """The noise levels of Algorithm 1: a rho grid from sigma_max to sigma_min, then 0."""

    levels: Count = Field(description="K (Table 2: number of steps)")
    sigma_max: Positive = Field(description="first level (Table 2: final time)")
    sigma_min: Positive = Field(description="last level before 0")
    rho: Positive = Field(description="exponent of the grid")


class Ode(Section):
    """The probability-flow ODE (Eq. 4), Euler on a rho grid."""

    steps: Count = Field(description="N (Table 2: PF-ODE steps)")
    sigma_min: Positive = Field(description="noise level at which the integration ends")
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
        description="tau, the noise level that the likelihood assumes (Table 2: observation noise level); covers "
        "the measurement's noise and the decoder's error"
    )
    prior_score: Literal["exact", "frozen", "gaussian"] = Field(
        description="score of the prior at every step, once per level, or a Gaussian around the PF-ODE's solution"
    )
    prior_score_sigma: Positive = Field(description="noise level at which the prior's score is evaluated")
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
        description="frames whose decoder gradient is computed at once; bounds the memory, not the result"
    )


class TotalVariation(Section):
    """The classical reference: isotropic total variation over time, y and x, by accelerated proximal gradient."""

    weight: Positive = Field(description="weight of the total variation, in units of the video")
    iterations: Count = Field(description="iterations of the outer loop")


class Task(Section):
    """One inverse problem."""

    domain: Name = Field(description="the domain whose videos and priors it uses")
    measurement: CartesianMri | Measurement
    samples: Count = Field(description="posterior samples drawn per test video; metrics are of the first one")
    videos_per_job: Count = Field(description="test videos reconstructed by one job, in one batch")
    sampler: Sampler
    total_variation: TotalVariation

    @model_validator(mode="before")
    @classmethod
    def _pick_measurement(cls, values: object) -> object:
        """Check a known forward model by its own section alone, so that an error names its key."""
        if isinstance(values, dict) and isinstance(values.get("measurement"), dict):
            section = CartesianMri if values["measurement"].get("model") == "mri" else Measurement
            values = {**values, "measurement": section.model_validate(values["measurement"])}
        return values


class Method(Section):
    """One way to reconstruct: a prior and a source of the sampler's noise."""

    prior: Literal["image", "video", "joint"]
    noise: Literal["independent", "batch_consistent"] = Field(
        description="noise of Algorithm 1, lines 1 and 9: independent per frame, or one frame's for all"
    )
