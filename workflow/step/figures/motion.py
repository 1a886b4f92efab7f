"""What the pictures that compare how methods move have in common: averaged flows and their colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from step.figures.flow import colour_vectors, draw_wheel

FLOW_PERCENTILE = 99.5  # of the truth's flow: full colour begins here, so that one wild pixel does not pale all others
FLOW_TITLE = "averaged flow\n(TV-L1)"
FLOW_NOTE = "Flow from frame to frame, averaged over time; off by: its mean distance to the truth's, pixel/frame."


@dataclass(frozen=True)
class AveragedFlows:
    """The flow of each video, averaged over time; the first is the truth's."""

    vectors: np.ndarray  # (video, 2, y, x), pixels per frame; component 0 along x, 1 along y

    @property
    def errors_px(self) -> np.ndarray:
        """The mean distance (video,) to the truth's averaged flow, pixels per frame; nan for the truth."""
        distances = np.linalg.norm(self.vectors - self.vectors[0], axis=1).mean(axis=(1, 2))
        return np.array([np.nan, *distances[1:]])

    @property
    def full_colour(self) -> float:
        """The length, pixels per frame, from which on a flow has its full colour: about the truth's largest."""
        return float(np.percentile(np.linalg.norm(self.vectors[0], axis=0), FLOW_PERCENTILE))


def draw_averaged_flows(flows: AveragedFlows, axes: Sequence[Axes], wheel_axes: Axes) -> None:
    """Draw the colours of each of `flows` into its `axes`, with how far it is off, and the wheel that explains them."""
    colours, wheel = colour_vectors(flows.vectors, flows.full_colour)
    for one, picture, error in zip(axes, colours, flows.errors_px, strict=True):
        one.set(xticks=[], yticks=[])
        one.imshow(picture)
        if not np.isnan(error):
            _write_below_left(one, f"off by {error:.2f}")
    wheel_axes.set(xticks=[], yticks=[])
    draw_wheel(wheel_axes, wheel, flows.full_colour, f"rim: {flows.full_colour:.2g} or\nmore pixel/frame")


def _write_below_left(axes: Axes, text: str) -> None:
    outline = [withStroke(linewidth=2, foreground="white")]
    axes.text(0.03, 0.03, text, transform=axes.transAxes, fontsize=6, va="bottom", path_effects=outline)
