"""The module of a sampler that the project does not know: plain gradient ascent."""

MODULE = '''
"""The most probable latent under a standard normal prior: gradient ascent from noise."""

import torch
from step.config.sections import Count, Positive, Section
from step.contracts import PosteriorSamples


class Settings(Section):
    steps: Count
    step_size: Positive
    weighted: bool = False


class Descent:
    def __init__(self, settings):
        self.settings = settings

    def sample(self, prior, likelihood, noise_sources, generators, device, describe):
        pairs = zip(noise_sources, generators, strict=True)
        latent = torch.stack([source.noise(prior.latent_shape, generator) for source, generator in pairs]).to(device)
        misfits = []
        for _ in range(self.settings.steps):
            gradient, video = likelihood.gradient(latent)
            latent = latent + self.settings.step_size * (gradient - latent)
            misfits.append(likelihood.misfit(video))
        weights = torch.arange(float(len(latent))) if self.settings.weighted else None
        return PosteriorSamples(latent, {"misfit": torch.stack(misfits, dim=1)}, weights)


def build(settings):
    return Descent(settings)
'''
