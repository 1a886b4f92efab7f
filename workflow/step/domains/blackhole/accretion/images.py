"""Images of a simulated accretion flow at any time."""

import numpy as np
from scipy.ndimage import gaussian_filter

from step.domains.blackhole.accretion.accretion_flow import AccretionFlow
from step.domains.blackhole.accretion.crescent import paint_crescent
from step.domains.blackhole.accretion.hotspots import SpotField
from step.domains.blackhole.accretion.plane import place_pixels
from step.domains.blackhole.accretion.turbulence import TurbulentField

BLUR_UAS = 3.0
"""Standard deviation of the final blur, a third of that of the interferometer's beam."""


class FlowImages:
    """The images of a flow on one pixel grid.

    Brightness is that of the crescent times a modulation by turbulence and hot spots whose mean over all time is 1
    everywhere. So `flux_jy` is the mean flux density, not that of any one image.
    """

    def __init__(self, flow: AccretionFlow, n_pixels: int, field_of_view_uas: float, flux_jy: float):
        plane = place_pixels(flow, n_pixels, field_of_view_uas)
        self._strength = flow.turbulence.strength
        self._turbulence = TurbulentField(flow, plane)
        self._spots = SpotField(flow, plane)
        self._blur_pixels = BLUR_UAS * n_pixels / field_of_view_uas
        crescent = paint_crescent(flow, plane)
        self._crescent = crescent * (flux_jy / self._blur(crescent).sum()) / (1 + self._spots.mean())

    def at(self, time_m: float) -> np.ndarray:
        """Return the image (y, x) in Jy per pixel at a time in GM/c^3; north is up and east to the left."""
        # The mean of a log-normal variable is exp(mean + variance / 2).
        turbulence = np.exp(self._strength * self._turbulence.at(time_m) - self._strength**2 / 2)
        return self._blur(self._crescent * (turbulence + self._spots.at(time_m)))

    def _blur(self, image: np.ndarray) -> np.ndarray:
        return gaussian_filter(image, self._blur_pixels, mode="constant")
