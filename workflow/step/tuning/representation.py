"""The error of representation: what the autoencoder loses of a video, in units of the measurement's errors.

No latent gives the truth exactly, ``x = D(z) + e``, so the data are ``y = A(D(z)) + A(e) + n``, and a likelihood that
knows the noise n alone is too sure of itself. How much larger the errors are that it should assume is measured on
validation videos: by how much the true video, once it went through the autoencoder, fits its data worse.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.sections import Count, Name, Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError
from step.references import through_autoencoder
from step.tuning.outcome import Finding

if TYPE_CHECKING:
    import numpy as np
    import torch

    from step.contracts import ForwardModel

log = logging.getLogger(__name__)


class RepresentationSettings(Section):
    """What decides how large the error of representation is."""

    task: Name
    domain: Name
    measurement: MeasurementOfDomain
    noise_level: float  # which the task's likelihood assumes so far
    frames_per_chunk: Count  # of the autoencoder


def representation_settings(config: Config, task: str) -> RepresentationSettings:
    """Return the part of `config` that the error of representation of `task` depends on."""
    chosen = config.tasks[task]
    return RepresentationSettings(
        task=task,
        domain=chosen.domain,
        measurement=config.measurement_of(task),
        noise_level=chosen.sampler.likelihood.noise_level,
        frames_per_chunk=chosen.sampler.frames_per_chunk,
    )


@dataclass(frozen=True)
class Fit:
    """How well one validation video fits its data, and how well it does after the autoencoder."""

    video: str
    squares: float  # twice the negative log-likelihood of the truth, at the measurement's own errors
    squares_encoded: float  # of the truth through the autoencoder
    chi_squares: dict[str, float]  # of the truth, by kind of data
    chi_squares_encoded: dict[str, float]


@dataclass(frozen=True)
class Representation(Finding):
    """What the autoencoder loses of validation videos, as their data see it."""

    settings: RepresentationSettings
    own_noise_level: float  # the measurement's
    fits: Sequence[Fit]

    @property
    def factor(self) -> float:
        """The factor on the measurement's errors that makes up for the error of representation, 1 or more.

        The sum of squares in units of the errors is as large as the number of data if the errors are right: that of
        the encoded truths over that of the truths is the square of the factor. Of all data of all videos together.
        """
        encoded, true = (sum(getattr(fit, name) for fit in self.fits) for name in ("squares_encoded", "squares"))
        return math.sqrt(max(encoded / true, 1.0))

    @property
    def noise_level(self) -> float:
        """What the likelihood should assume as `noise_level`: of the noise and the error of representation together."""
        return self.factor * self.own_noise_level

    @property
    def deviation(self) -> float:
        """The standard error of `noise_level`, by leaving out each video in turn (jackknife); nan of one video."""
        n = len(self.fits)
        if n < 2:
            return math.nan
        others = [
            Representation(self.settings, self.own_noise_level, [*self.fits[:k], *self.fits[k + 1 :]]).noise_level
            for k in range(n)
        ]
        mean = sum(others) / n
        return math.sqrt((n - 1) / n * sum((level - mean) ** 2 for level in others))

    @property
    def rows(self) -> list[dict[str, object]]:
        """The table: for each kind of data of each video the chi-square of the truth, and of the encoded truth.

        `error` is the error of representation in units of the measurement's: the root of what it adds to chi-square.
        """
        return [
            {
                "video": fit.video,
                "kind": kind,
                "chi2_truth": chi_square,
                "chi2_encoded": fit.chi_squares_encoded[kind],
                "error": math.sqrt(max(fit.chi_squares_encoded[kind] - chi_square, 0.0)),
            }
            for fit in self.fits
            for kind, chi_square in fit.chi_squares.items()
        ]

    @property
    def verdict(self) -> list[str]:
        """What was found, in lines of text."""
        of_kinds: dict[str, list[float]] = {}
        for row in self.rows:
            of_kinds.setdefault(str(row["kind"]), []).append(float(str(row["error"])) ** 2)
        errors = [f"{kind} {math.sqrt(sum(each) / len(each)):.3g}" for kind, each in of_kinds.items()]
        videos = ", ".join(fit.video for fit in self.fits)
        spread = "" if math.isnan(self.deviation) else f" +- {self.deviation:.2g}"
        return [
            f"What the autoencoder of {self.settings.domain} loses, in units of the errors of {self.settings.task}: "
            f"{'; '.join(errors)}. On {videos}.",
            f"Noise and error of representation together: noise_level {self.noise_level:.4g}{spread}; the "
            f"measurement's own is {self.own_noise_level:.4g}, the study's likelihood assumes "
            f"{self.settings.noise_level:.4g}.",
        ]

    def overlay(self, path: Path) -> str:
        """Return the configuration (YAML), to be written to `path`, that has the likelihood assume both errors."""
        task, level = self.settings.task, float(f"{self.noise_level:.4g}")
        sections = {"tasks": {task: {"sampler": {"likelihood": {"noise_level": level}}}}}
        return self.as_overlay([], sections, path)


def estimate_representation(
    pairs: Sequence[tuple[Path, Path]], autoencoder: Path, settings: RepresentationSettings
) -> Representation:
    """Return what the `autoencoder`, a folder, loses of the videos of `pairs`, files of measurement and truth.

    Raises `InputError` where a measurement is not of the task, has errors that are not those of its simulation, so that
    the truth itself does not fit, or the forward model has no noise level.
    """
    from step.io.reconstructions import read_measurement
    from step.io.truths import read_truth
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
    from step.progress import track

    through = through_autoencoder(autoencoder, settings.domain, settings.frames_per_chunk)
    fits = []
    own = math.nan
    for path, true_path in track(list(pairs), "error of representation", "video"):
        truth, arrays = read_truth(true_path, path.stem), read_measurement(path)
        forward_model, measured = build_forward_model(settings.measurement, truth.shape), to_tensors(arrays)
        check_measurement(measured, forward_model, truth.shape, path)
        own = getattr(forward_model, "noise_level", math.nan)
        if not own > 0:
            raise InputError(
                f"the measurement of {settings.task} has the noise level {own}; an error of representation is in units "
                "of the noise, give the task some"
            )
        fits.append(_fit(path.stem, truth, through, forward_model, measured))
    return Representation(settings, own, fits)


def _fit(
    name: str,
    truth: "np.ndarray",
    through: "Callable[[torch.Tensor], torch.Tensor]",
    forward_model: "ForwardModel",
    measured: "dict[str, torch.Tensor]",
) -> Fit:
    import torch

    video = torch.from_numpy(truth)[None]
    squares, chi_squares = [], []
    for shown in (video, through(video)):
        nll = forward_model.negative_log_likelihood(shown, measured)
        squares.append(2 * float(nll.sum()))
        found = forward_model.chi_squares(shown, measured)
        chi_squares.append({kind: float(value[0]) for kind, value in found.items()})
    if not (squares[0] > 0 and math.isfinite(squares[1])):
        raise InputError(f"{name}: the truth has a sum of squares of {squares[0]:g}, the encoded one {squares[1]:g}")
    return Fit(name, squares[0], squares[1], chi_squares[0], chi_squares[1])
