"""Noise warped with bicubic interpolation."""

from step.config.methods import InterpolatedNoise as Settings
from step.sampling.noise.interpolated import build_warped as build

__all__ = ["Settings", "build"]
