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
    sampled: "Reconstruction", measurement: "dict[str, np.ndarray]", settings: SummarySettings, source: object
) -> Summary:
    """Return the summary of the samples of one `measurement`, arrays with leading time; all is weighted as they are.

    Raises `InputError`, naming `source`, where samples and measurement do not fit together.
    """
    import numpy as np

    from step.particles import deviation_of, effective_size, mean_of
    from step.physics.forward_models import energy_outside, fit_to_data
    from step.posterior.quantiles import take_quantiles

    samples, weights, is_weighted = sampled.samples, sampled.weights, sampled.log_weights is not None
    mean = mean_of(samples, weights) if is_weighted else samples.mean(axis=0)
    std = deviation_of(samples, weights) if is_weighted else samples.std(axis=0)
    quantiles = take_quantiles(samples, settings.quantiles, settings.display, weights if is_weighted else None)
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
