"""The `generation` section: unconditional samples of the priors."""

from pydantic import Field, model_validator

from step.config.sections import Count, Positive, Section


class Generation(Section):
    """Samples of a prior alone, by the probability-flow ODE (Eq. 4) from noise: what it believes before any data."""

    samples: Count = Field(description="unconditional samples of each prior")
    steps: Count = Field(description="Euler steps from `sigma_max` to `sigma_min`; one more leads to 0")
    sigma_max: Positive = Field(description="noise level at which the integration begins, in units of the latent")
    sigma_min: Positive = Field(description="last noise level before 0, in units of the latent")
    rho: Positive = Field(description="exponent of the grid")

    @model_validator(mode="after")
    def _downwards(self) -> "Generation":
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min is {self.sigma_min:g}, sigma_max {self.sigma_max:g}; give a larger sigma_max")
        return self
