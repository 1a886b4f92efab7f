"""The Fréchet video distance, which is of all videos of a method together: a single one has none."""

from step.metrics.metric import Metric

METRIC = Metric("fvd", "FVD", 2, "lower", lambda scored: None, may_be_missing=True)
