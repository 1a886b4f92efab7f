"""Units that several packages convert from and to."""

import math

RAD_PER_UAS = math.pi / 180 / 3600e6
"""A microarcsecond in radian."""

FWHM = 2 * math.sqrt(2 * math.log(2))
"""The full width at half maximum of a Gaussian, in standard deviations."""

C_M_PER_S = 299792458.0
"""The speed of light."""
