"""What posterior samples say in the words of their subject, such as the diameter of a ring or an ejection fraction."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.calibration import ProperFraction
from step.config.sections import ModuleName, Section
from step.config.study import Config
from step.config.views import Display
from step.errors import InputError
from step.posterior.described_samples import describe_samples, descriptor_of

if TYPE_CHECKING:
    import numpy as np

    from step.io.reconstructions import Reconstruction
    from step.posterior.descriptors.description import Course, Feature

    Row = dict[str, object]

log = logging.getLogger(__name__)

PROBABILITY = "probability"
"""What stands for the interval of a row whose mean is a probability."""

NO_INTERVAL = "none: the weights cannot be trusted"
"""What stands for the interval of weighted samples that say no more than one would."""

COLUMNS = (
    *("video", "quantity", "frame", "unit", "samples", "effective_samples"),
    *("mean", "deviation", "low", "high", "coverage", "interval", "truth", "inside", "factor"),
)
"""What is said of each quantity of a video, and of each frame of a course.

`factor` is what deviation and interval were multiplied by in a recalibration; empty where they were not.
"""

COLUMNS_OF_SAMPLES = ("video", "quantity", "frame", "unit", "sample", "value")


class QuantitiesSettings(Section):
    """What decides the quantities, and how far their intervals reach."""

    display: Display
    geometry: dict[str, float]
    descriptor: ModuleName
    interval: ProperFraction


def quantities_settings(config: Config, task: str) -> QuantitiesSettings:
    """Return the settings of the quantities of `task`; raises `InputError` where its domain has no descriptor."""
    video = config.video_format(config.tasks[task].domain)
    return QuantitiesSettings(
        display=video.display,
        geometry=video.geometry,
        descriptor=descriptor_of(config, task),
        interval=config.uncertainty.interval,
    )


def quantities_of_files(
    reconstructions: Sequence[Path],
    truths: Sequence[Path],
    settings: QuantitiesSettings,
    factors: Mapping[str, float] | None = None,
) -> "tuple[list[Row], list[Row]]":
    """Return a row for each quantity of each video, and one for each of its values of each sample.

    Samples of one video may be in several of `reconstructions`; `truths` are empty where none is known. Videos whose
    descriptor finds nothing to measure are left out, and counted in the log. Where weights have collapsed to a single
    lineage there is no interval, which the row and the log say. Intervals of the quantities among the `factors` are
    recalibrated by them. Raises `InputError` where a video has no
    truth among the `truths`, is of another shape, or has fewer than two samples.
    """
    from step.io.reconstructions import read_reconstructions, videos_in
    from step.io.truths import read_truth
    from step.progress import track

    truth_of = {path.stem: path for path in truths}
    rows: list[Row] = []
    samples: list[Row] = []
    empty: list[str] = []
    files = list(reconstructions)
    found = videos_in(files)
    for name in track(found, "quantities", "video"):
        if truth_of and name not in truth_of:
            raise InputError(f"{name} has no truth among those of {', '.join(truth_of)}; give its file with --truths")
        truth = read_truth(truth_of[name], name) if truth_of else None
        reconstruction = read_reconstructions(files, [name])[name]  # one at a time: together they may not fit
        described = (settings.display, settings.descriptor, settings.geometry)
        quantities = describe_samples(name, reconstruction.samples, truth, *described).quantities
        if not quantities:
            empty.append(name)
        try:
            weighted = None if reconstruction.log_weights is None else reconstruction
            summaries = _summaries(quantities, settings.interval, weighted, factors or {})
            rows += [row | {"video": name} for row in summaries]
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        samples += [{"video": name, **row} for row in _values(quantities)]
    if empty:
        log.warning("%d of %d videos have nothing that could be measured: %s", len(empty), len(found), ", ".join(empty))
    return rows, samples


def _summaries(
    quantities: "Mapping[str, Feature | Course]",
    coverage: float,
    weighted: "Reconstruction | None",
    factors: Mapping[str, float],
) -> "Iterator[Row]":
    """Yield a row for each quantity, and each frame of a course; `weighted` are its samples if they have weights."""
    import numpy as np

    from step.particles import lineage_size
    from step.posterior.descriptors.description import Feature
    from step.posterior.intervals import FEWEST, central_interval
    from step.posterior.recalibration import stretch_interval

    weights, lineages = (None, None) if weighted is None else (weighted.weights, weighted.lineages)
    size = math.inf if weights is None else lineage_size(weights, lineages)
    if size < FEWEST:
        log.warning("the weights cannot be trusted: %.1f effective samples have no interval", size)
    for name, quantity in quantities.items():
        row: Row = dict.fromkeys(COLUMNS, "")
        row |= {"quantity": name, "unit": quantity.unit, "samples": len(quantity.values)}
        if isinstance(quantity, Feature) and quantity.is_event:
            # Of what is true or false the mean says all: how likely it is.
            truth = "" if quantity.truth is None else quantity.truth
            mean = quantity.values.mean() if weights is None else weights @ quantity.values
            yield row | {"mean": float(mean), "truth": truth, "interval": PROBABILITY}
            continue
        is_angle = isinstance(quantity, Feature) and quantity.is_angle
        for frame, values, truth in _per_frame(quantity):
            if weights is not None and size < FEWEST:
                about: Row = {"effective_samples": size, "mean": float(values[np.argmax(weights)]), "truth": truth}
                about |= dict.fromkeys(("deviation", "low", "high"), math.nan)
                yield row | about | {"frame": frame, "coverage": coverage, "interval": NO_INTERVAL}
                continue
            interval = central_interval(values, coverage, weights, is_angle, lineages)
            if name in factors:
                interval = stretch_interval(interval, factors[name])
            yield row | {
                "frame": frame,
                "effective_samples": interval.effective_samples,
                "mean": interval.mean,
                "deviation": interval.deviation,
                "low": interval.low,
                "high": interval.high,
                "coverage": coverage,
                "interval": interval.by,
                "truth": truth,
                "inside": "" if truth == "" else interval.holds(float(truth), is_angle),
                "factor": factors.get(name, ""),
            }


def _values(quantities: "Mapping[str, Feature | Course]") -> "Iterator[Row]":
    """Yield a row for each value of each sample."""
    for name, quantity in quantities.items():
        for frame, values, _ in _per_frame(quantity):
            for sample, value in enumerate(values):
                yield {"quantity": name, "frame": frame, "unit": quantity.unit, "sample": sample, "value": float(value)}


def _per_frame(quantity: "Feature | Course") -> "Iterator[tuple[int | str, np.ndarray, float | str]]":
    """Yield frame, values (sample,) and truth; a number of the whole video has the frame '', an unknown truth is ''."""
    from step.posterior.descriptors.description import Feature

    if isinstance(quantity, Feature):
        yield "", quantity.values, "" if quantity.truth is None else quantity.truth
        return
    for frame in range(quantity.values.shape[1]):
        yield frame, quantity.values[:, frame], "" if quantity.truth is None else float(quantity.truth[frame])
