"""The data misfit of a video: the forward model's own, in the convention in which the paper reports it."""

from step.metrics.metric import Metric

METRIC = Metric("data_misfit", "Data misfit", 3, "lower", lambda scored: scored.data_misfit)
