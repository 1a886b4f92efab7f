"""Noise warped to the nearest pixel: of unit variance, and not white where pixels are repeated."""

from step.config.methods import InterpolatedNoise as Settings
from step.sampling.noise.interpolated import build_warped as build

__all__ = ["Settings", "build"]
