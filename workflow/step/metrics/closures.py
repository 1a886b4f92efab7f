"""Reduced chi-squares of closures with their covariance, which no choice of closure set changes."""

from functools import partial

from step.metrics.metric import Metric, ScoredVideo


def _chi_square(kind: str, scored: ScoredVideo) -> float | None:
    return scored.chi_squares.get(kind)


def _metric(kind: str, label: str) -> Metric:
    score = partial(_chi_square, kind)
    return Metric(f"chi2_{kind}", f"χ² of {label}, with covariance", 2, None, score, may_be_missing=True)


PHASES = _metric("closure_phase_full", "closure phases")
AMPLITUDES = _metric("log_closure_amplitude_full", "log closure amplitudes")
