"""The `posteriors` section: simulated measurements of which many posterior samples are taken."""

from typing import Annotated

from pydantic import Field

from step.config.sections import Count, Name, Section


class Posterior(Section):
    """Many samples given one simulated measurement: their modes, their spread, and the truth next to them."""

    task: Name = Field(description="the task whose measurement, priors and sampler it uses")
    method: Name = Field(description="the method that samples")
    video: Annotated[str, Field(pattern=r"^video\d{3}$")] = Field(
        description="the test video that is measured, e.g. `video000`"
    )
    samples: Count = Field(description="posterior samples (paper: 100)")
    samples_per_job: Count = Field(description="samples taken by one job, in one batch")
