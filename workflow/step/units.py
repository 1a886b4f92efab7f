"""Units that several packages convert from and to."""

import math

RAD_PER_UAS = math.pi / 180 / 3600e6
"""A microarcsecond in radian."""
