"""What the posterior samples of one measurement say together, and how well each fits the data."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from step.config.sections import Fraction, Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.config.views import Display

if TYPE_CHECKING:
    import numpy as np

    from step.io.reconstructions import Quantiles, Reconstruction

log = logging.getLogger(__name__)


class SummarySettings(Section):
    """What the summary uses of the configuration: the likelihood, at the errors that the data themselves state."""

    measurement: MeasurementOfDomain
    display: Display
    quantiles: tuple[Fraction, ...]


def summary_settings(config: Config, task: str) -> SummarySettings:
    """Return the part of `config` that the summary of a measurement of `task` uses."""
    return SummarySettings(
        measurement=config.measurement_of(task),
        display=config.video_format(config.tasks[task].domain).display,
        quantiles=config.uncertainty.quantiles,
    )


@dataclass(frozen=True)
class Summary:
    """What posterior samples say together, and each of them of the data."""

    videos: "Mapping[str, np.ndarray]"  # `mean` and `std` (time, channel, y, x)
    quantiles: "Quantiles"
    rows: list[dict[str, object]]  # one per sample, and one of the mean: chi-squares by kind of data, data misfit


def summarise(
    sampled: "Reconstruction",
    measurement: "dict[str, np.ndarray]",
    settings: SummarySettings,
    source: object,
    factor: float = 1.0,
) -> Summary:
    """Return the summary of the samples of one `measurement`, arrays with leading time; all is weighted as they are.

    Deviation and quantiles are those of samples `factor` times as far from their mean, as a recalibration has them; 1
    takes them as they are. Chi-squares are those of the samples themselves.

    Raises `InputError`, naming `source`, where samples and measurement do not fit together.
    """
    import numpy as np

    from step.particles import deviation_of, effective_size, mean_of
    from step.physics.forward_models import energy_outside, fit_to_data
    from step.posterior.quantiles import take_quantiles
    from step.posterior.recalibration import stretch

    samples, weights, is_weighted = sampled.samples, sampled.weights, sampled.log_weights is not None
    mean = mean_of(samples, weights) if is_weighted else samples.mean(axis=0)
    std = deviation_of(samples, weights) if is_weighted else samples.std(axis=0)
    if factor != 1:
        log.info("deviation and quantiles are recalibrated: %.3g times those of the samples", factor)
    spread = samples if factor == 1 else stretch(samples, factor, mean)
    quantiles = take_quantiles(spread, settings.quantiles, settings.display, weights if is_weighted else None)
    std = std if factor == 1 else (factor * std).astype(std.dtype)
    videos = np.concatenate([samples, mean[None]])
    misfits, chi_squares = fit_to_data(videos, measurement, settings.measurement, source)
    outside = energy_outside(videos, measurement, settings.measurement)
    labels = [*(f"sample{number:03d}" for number in range(len(samples))), "mean"]
    rows: list[dict[str, object]] = []
    for number, label in enumerate(labels):
        of_kind = {kind: values[number] for kind, values in chi_squares.items()}
        rows.append({"video": label, **of_kind, "data_misfit": misfits[number]})
        if outside is not None:
            rows[-1]["outside_energy"] = outside[number]
            log.info("%s: %.1f %% of the data's energy is from outside the frame", label, 100 * outside[number])
        if is_weighted and number < len(samples):
            rows[-1]["weight"] = weights[number]
        log.info("%s: data misfit %.3f", label, misfits[number])
    if is_weighted:
        rows[-1]["weight"] = 1.0
        size, n_ancestors = effective_size(cast("np.ndarray", sampled.log_weights)), len(set(sampled.lineages))
        log.info("effective size %.1f of %d samples, of %d ancestors", size, len(samples), n_ancestors)
    return Summary({"mean": mean, "std": std}, quantiles, rows)
