"""Video reconstruction from sparse measurements with spatiotemporal diffusion priors (STeP).

Examples:
    >>> import step
    >>> prior = step.load_prior("resources/priors/mri")
    >>> physics = step.CartesianMri.equispaced(rows=prior.rows, acceleration=8, acs_lines=4, noise_level=0.01)
    >>> y = physics.measure(step.generate(prior, seed=1), seed=0)
    >>> posterior = step.sample(prior, physics, y, samples=2)
    >>> posterior.mean.shape == prior.shape
    True
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from step.api import Posterior, Video, daps, generate, load_prior, sample, weighted_daps
    from step.contracts import ForwardModel, NoiseSource, PosteriorSampler, PosteriorSamples, VideoPrior
    from step.errors import InputError
    from step.physics.least_squares import LeastSquares
    from step.physics.mri import CartesianMri
    from step.physics.non_cartesian_mri import NonCartesianMri
    from step.physics.vlbi import ClosureImaging

_HOME = {
    "load_prior": "step.api",
    "sample": "step.api",
    "daps": "step.api",
    "weighted_daps": "step.api",
    "generate": "step.api",
    "Posterior": "step.api",
    "Video": "step.api",
    "CartesianMri": "step.physics.mri",
    "NonCartesianMri": "step.physics.non_cartesian_mri",
    "ClosureImaging": "step.physics.vlbi",
    "LeastSquares": "step.physics.least_squares",
    "ForwardModel": "step.contracts",
    "VideoPrior": "step.contracts",
    "NoiseSource": "step.contracts",
    "PosteriorSampler": "step.contracts",
    "PosteriorSamples": "step.contracts",
    "InputError": "step.errors",
}
"""Where each name is from. It is imported when it is first asked for: a stage of the workflow needs none of them."""

__all__ = [
    "CartesianMri",
    "ClosureImaging",
    "ForwardModel",
    "InputError",
    "LeastSquares",
    "NoiseSource",
    "NonCartesianMri",
    "Posterior",
    "PosteriorSampler",
    "PosteriorSamples",
    "Video",
    "VideoPrior",
    "daps",
    "generate",
    "load_prior",
    "sample",
    "weighted_daps",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'step' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
