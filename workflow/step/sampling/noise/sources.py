"""From the `noise` section of a method to the noise source that it names."""

import importlib
from types import ModuleType

from step.config.methods import AnyNoise
from step.config.sections import Section
from step.config.study import check_section
from step.contracts import NoiseSource
from step.plugins import noise_source_name
from step.sampling.optical_flow import OpticalFlow


def build_noise_source(
    noise: AnyNoise, optical_flow: OpticalFlow | None, latent_shape: tuple[int, int, int, int]
) -> NoiseSource:
    """Return the source that `noise` describes, for latents of `latent_shape` (time, latent_channel, y, x).

    `optical_flow` is that of the video's pixels. The module that ``noise.source`` names offers `Settings`, a pydantic
    model of the section, and ``build(settings, optical_flow, latent_shape)``. A source keeps nothing of its noise:
    one serves all samples of a video.
    """
    module, settings = open_noise(noise)
    return module.build(settings, optical_flow, latent_shape)


def open_noise(noise: AnyNoise) -> tuple[ModuleType, Section]:
    """Return the module that `noise` names, and the values of its `Settings`, checked; without `uses_optical_flow`."""
    module = importlib.import_module(noise_source_name(noise.source))
    values = noise.model_dump(exclude={"uses_optical_flow"})
    return module, check_section(module.Settings, values, f"noise of source {noise.source}")
