"""Visibility amplitudes of stations whose gains are known to some percent: the gains marginalised.

Of a visibility ``V_b = exp(g_i + g_j) I_b + n`` between the stations i and j, I the source's own, the amplitude's
logarithm is ``log |V_b| = log |I_b| + g_i + g_j + e_b``, e with the variance s_b^2 of the noise. Let each station's log
gain at each time be independent, ``g ~ N(0, gamma^2)``. Data are linear in g, so that the integral over all gains has a
closed form: the residual ``r_b = log |I_b| - log |V_b|`` has the covariance

``C = diag(s^2) + gamma^2 G G' + kappa^2 1 1'``,

G (baseline, station) being 1 where a station is of a baseline, and ``-log p(y | x) = r' C^-1 r / 2`` up to a constant.
The last term is that of a scale common to all amplitudes of a frame, since the brightness of a video has no unit that
visibilities in Jy would know: kappa is so large that it is free.

For a large gamma only what no gain changes is left, the closure amplitudes with their covariance (L. Blackburn et al.,
ApJ 894, 31 (2020), who show that both are the same likelihood); for gamma = 0 amplitudes are taken as calibrated.
"""

from dataclasses import replace

import numpy as np
import torch

from step.physics.visibilities import Visibilities

FREE_SCALE = 10.0
"""kappa, the standard deviation of the common scale's logarithm: e^10 times more or less is nothing."""


def amplitude_covariance(
    variance: torch.Tensor, stations: torch.Tensor, time_h: torch.Tensor, gain_sigma: float, scale_sigma: float
) -> torch.Tensor:
    """Return C (batch, time, baseline, baseline), the covariance of log amplitudes whose gains are unknown.

    `variance` (batch, time, baseline) holds s^2, `stations` (batch, time, baseline, 2) the numbers of each baseline's
    stations, and `time_h` (batch, time, baseline) when it was measured: gains of other times are independent.
    `gain_sigma` is gamma, `scale_sigma` kappa.
    """
    same = stations[..., :, None, :, None] == stations[..., None, :, None, :]  # (..., b, b', side, side')
    together = time_h[..., :, None] == time_h[..., None, :]
    shared = same.sum((-2, -1)) * together
    return torch.diag_embed(variance) + gain_sigma**2 * shared.to(variance.dtype) + scale_sigma**2


def log_amplitude(visibilities: torch.Tensor) -> torch.Tensor:
    """Return ``log |V|`` of complex `visibilities`; of 0 it is that of the smallest number, not infinite."""
    return visibilities.abs().clamp_min(torch.finfo(visibilities.dtype).tiny).log()


def with_gains(visibilities: Visibilities, gain_sigma: float, generator: torch.Generator) -> Visibilities:
    """Return `visibilities` and their errors times ``exp(g_i + g_j)``, g of each station and time from `generator`."""
    n_stations = int(visibilities.stations.max()) + 1
    times, number = np.unique(visibilities.time_h, return_inverse=True)
    gains = gain_sigma * torch.randn((len(times), n_stations), generator=generator, dtype=torch.float64).numpy()
    factor = np.exp(gains[number.ravel()[:, None], visibilities.stations].sum(axis=1))
    return replace(visibilities, value=factor * visibilities.value, sigma=factor * visibilities.sigma)
