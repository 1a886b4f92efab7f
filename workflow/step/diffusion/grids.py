"""Noise levels of the samplers' grids."""


def rho_grid(sigma_max: float, sigma_min: float, steps: int, rho: float) -> list[float]:
    """Return steps + 1 noise levels from `sigma_max` down to `sigma_min`, evenly spaced in sigma^(1/rho)."""
    start, end = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return [(start + i / steps * (end - start)) ** rho for i in range(steps + 1)]
