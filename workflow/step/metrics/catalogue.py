"""All metrics, in the order of their columns: the library's, and those of your own that a configuration names."""

from collections.abc import Sequence
from importlib import import_module

from step.errors import InputError
from step.metrics import (
    closures,
    d_psnr,
    d_ssim,
    data_misfit,
    difference_correlation,
    fvd,
    lpips,
    psnr,
    psnr_authors,
    ssim,
    ssim_authors,
)
from step.metrics.metric import Metric
from step.plugins import metric_name

OURS = tuple(module.METRIC for module in (psnr, ssim, lpips, d_psnr, d_ssim, difference_correlation, data_misfit))
"""Those of brightness in [0, 1], and of the data."""

AUTHORS = tuple(module.METRIC for module in (psnr_authors, ssim_authors))
"""PSNR and SSIM in the convention of the paper's authors, where it is another one: see `step.metrics.authors`."""

METRICS = OURS + AUTHORS
"""The columns of every table of metrics."""

OF_SOME_MEASUREMENTS = (closures.PHASES, closures.AMPLITUDES)
"""Columns next to these, of measurements that have such data."""

OFFERED = ("normalised_cross_correlation",)
"""Modules of the library that a study has among its metrics only where `evaluation.metrics` names them."""

BY_NAME = {metric.name: metric for metric in (*METRICS, fvd.METRIC, *OF_SOME_MEASUREMENTS)}


def own_metrics(modules: Sequence[str]) -> tuple[Metric, ...]:
    """Return the metrics of `modules`, which `evaluation.metrics` names.

    Raises `InputError` where one is missing, is no metric, or has the name of another one.
    """
    found: dict[str, Metric] = {}
    for name in modules:
        metric = getattr(import_module(metric_name(name)), "METRIC", None)
        if not isinstance(metric, Metric):
            raise InputError(f"evaluation.metrics: {name} has no METRIC, a step.metrics.metric.Metric; give it one")
        if metric.name in BY_NAME or metric.name in found:
            raise InputError(f"evaluation.metrics: {name} is called {metric.name}, as another metric is; rename it")
        found[metric.name] = metric
    return tuple(found.values())
