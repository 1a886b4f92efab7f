"""The modes of the posterior samples of one measurement: what they are found by, and what tells them apart."""

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from step.config.modes import Clustering
from step.config.sections import ModuleName, Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.config.views import Display
from step.posterior.described_samples import describe_samples, descriptor_of

if TYPE_CHECKING:
    import numpy as np

    from step.io.modes import Modes
    from step.io.reconstructions import Reconstruction
    from step.posterior.descriptors.description import Description
    from step.posterior.modes import Clusters

log = logging.getLogger(__name__)


class ModesSettings(Section):
    """What decides the modes: how well samples fit the data, how they are described, and when they are told apart."""

    seed: int
    measurement: MeasurementOfDomain
    display: Display
    descriptor: ModuleName
    modes: Clustering


def modes_settings(config: Config, task: str) -> ModesSettings:
    """Return the settings of the modes of `task`; raises `InputError` where its domain has no descriptor."""
    return ModesSettings(
        seed=config.seed,
        measurement=config.measurement_of(task),
        display=config.video_format(config.tasks[task].domain).display,
        descriptor=descriptor_of(config, task),
        modes=Clustering(**config.modes.model_dump(exclude={"descriptors"})),
    )


def modes_of_samples(
    name: str,
    sampled: "Reconstruction",
    measurement: "dict[str, np.ndarray]",
    truth: "np.ndarray | None",
    settings: ModesSettings,
    attributes: Mapping[str, str],
    source: object,
) -> "tuple[Modes, list[dict[str, object]]]":
    """Return the modes of the samples `sampled`, and the rows of their table, the largest first.

    `name` is that of the video, `measurement` has arrays with leading axis time, `truth` is (time, channel, y, x) or
    None where it is not known, `attributes` say where the samples are from. Raises `InputError` for samples that are
    not of the truth or, naming `source`, not of the measurement, or that are too few.
    """
    from step.io.modes import Modes
    from step.physics.forward_models import fit_to_data
    from step.posterior.modes import Weighting, find_modes, in_words, reduce, smallest_share
    from step.seeds import derive_seed

    samples = sampled.samples
    geometry = settings.measurement.geometry
    description = describe_samples(name, samples, truth, settings.display, settings.descriptor, geometry)
    misfits, chi_squares = fit_to_data(samples, measurement, settings.measurement, source)
    reduced = reduce(description, settings.modes)
    weighting = None if sampled.log_weights is None else Weighting(sampled.weights, sampled.lineages)
    clusters = find_modes(reduced, settings.modes, derive_seed(settings.seed, "modes", name), weighting)
    criterion = in_words(clusters, settings.modes)
    log.info("%s: %s", name, criterion)
    size = float(len(samples)) if weighting is None else weighting.evidence_size
    smallest = smallest_share(size, settings.modes)
    log.info("%s: a mode of %.1f %% or more would have been seen, if it is separated", name, 100 * smallest)
    features = description.features
    truth_features = {key: cast(float, feature.truth) for key, feature in features.items()}
    modes = Modes(
        labels=clusters.labels,
        representatives=clusters.representatives,
        shares=clusters.shares,
        share_low=clusters.share_low,
        share_high=clusters.share_high,
        misfits=misfits,
        chi_squares=chi_squares,
        features={key: feature.values for key, feature in features.items()},
        units={key: feature.unit for key, feature in features.items()},
        truth_features=None if truth is None else truth_features,
        reduced=reduced.samples,
        truth_reduced=reduced.truth,
        scores=clusters.scores,
        stability=clusters.stability,
        attributes={"video": name, **attributes, "descriptor": settings.descriptor, "criterion": criterion},
    )
    rows = _rows(clusters, description, misfits, chi_squares, settings.modes.sense_agreement)
    kind = "frequencies" if weighting is None else "probabilities"
    of_shares: dict[str, object] = {"shares_are": kind, "effective_size": size, "smallest_share": smallest}
    of_shares |= {} if sampled.likelihood_power == 1 else {"likelihood_power": sampled.likelihood_power}
    of_each = [of_shares | {"share_error": float(error)} for error in clusters.share_errors]
    return modes, [row | more for row, more in zip(rows, of_each, strict=True)]


def _rows(
    clusters: "Clusters",
    description: "Description",
    misfits: "np.ndarray",
    chi_squares: "Mapping[str, np.ndarray]",
    sense_agreement: float,
) -> list[dict[str, object]]:
    """Return one row of the table for each mode, the largest first."""
    stability = clusters.stability[len(clusters.shares) - 1]
    rows = []
    for mode, representative in enumerate(clusters.representatives):
        members = clusters.labels == mode
        row: dict[str, object] = {"mode": mode, "samples": int(members.sum()), "share": clusters.shares[mode]}
        row |= {"share_low": clusters.share_low[mode], "share_high": clusters.share_high[mode]}
        row |= {"representative": int(representative), "data_misfit": misfits[members].mean()}
        row |= {"data_misfit_std": _spread(misfits[members]), "data_misfit_representative": misfits[representative]}
        row |= {f"chi2_{kind}": values[members].mean() for kind, values in chi_squares.items()}
        for name, feature in description.features.items():
            row[_column(name, feature.unit)] = feature.mean(members)
        if "rotation_rate" in description.features:
            rates = description.features["rotation_rate"].values[members]
            row["rotation_sense"] = _sense(rates, sense_agreement)
        row["contains_truth"] = "" if clusters.truth is None else mode == clusters.truth
        rows.append(row | {"stability": stability})
    return rows


def _spread(values: "np.ndarray") -> float:
    """Return the sample standard deviation, nan of a single value."""
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _column(name: str, unit: str) -> str:
    return f"{name}_{unit.replace('/', '_per_')}" if unit else name


def _sense(rates: "np.ndarray", agreement: float) -> str:
    """Return which way the samples of a mode turn, of which a share of `agreement` must; rates as of `ring`."""
    for sense, turns in (("counter-clockwise", rates > 0), ("clockwise", rates < 0)):
        if turns.mean() >= agreement:
            return sense
    return "unclear"
