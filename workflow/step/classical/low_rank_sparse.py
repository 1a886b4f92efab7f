"""Low rank plus sparse, L + S: a background that hardly changes, and what moves on it, of complex videos.

R. Otazo, E. Candes and D. K. Sodickson, "Low-rank plus sparse matrix decomposition for accelerated dynamic MRI with
separation of background and dynamic components", Magnetic Resonance in Medicine 73 (2015) 1125-1136.

Theirs has another mask in every frame. Where all frames have one, as in our studies, L fills no line of k-space
that is never measured, since low rank mixes frames alone: what is gained there is gained by S.
"""

import torch

from step.classical.likelihood import largest_curvature, likelihood_gradient
from step.config.classical import LowRankSparse as Settings
from step.contracts import ForwardModel, Measurement
from step.errors import InputError
from step.progress import track

STEP = 0.5
"""The step size over the Lipschitz constant of the gradient in L + S; that in (L, S) together has twice as much."""


def reconstruct(forward_model: ForwardModel, measurement: Measurement, settings: Settings) -> torch.Tensor:
    """Return the videos L + S (batch, time, 2, y, x), real and imaginary part, of the parts that `separate` finds.

    Raises what `separate` does.
    """
    low_rank, sparse = separate(forward_model, measurement, settings)
    return _as_channels(low_rank + sparse)


def separate(
    forward_model: ForwardModel, measurement: Measurement, settings: Settings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return L and S, complex (batch, time, y, x), that minimise the objective below: background and moving part.

    It is ``-log p(y | L + S) + w_L ||L||_* + w_S ||T S||_1``: the nuclear norm of L as a matrix of pixels x
    frames, and the sum of magnitudes of S in temporal frequency, T being the unitary Fourier transform along time.
    The weights are `low_rank_weight` times the largest singular value of the zero-filled video, and `sparse_weight`
    times the largest magnitude in its temporal spectrum: L = S = 0 is the minimum where both are 1 or more.

    The steps are proximal gradient steps (ISTA) from L zero-filled and S = 0. C is the Lipschitz constant of the
    gradient of the negative log-likelihood, 1 where the forward model does not say it (not checked): an undersampled
    orthonormal transform has it at noise level 1, where ``-log p = ||A x - y||^2 / 2``. Raises
    `InputError` for videos that are not of two channels, and `FloatingPointError` where the steps diverge.
    """
    low_rank = _as_complex(forward_model.backprojection(measurement))
    sparse = torch.zeros_like(low_rank)
    low_rank_weight = settings.low_rank_weight * torch.linalg.matrix_norm(casorati(low_rank), ord=2)  # (batch,)
    sparse_weight = settings.sparse_weight * temporal_spectrum(low_rank).abs().amax(dim=(1, 2, 3))  # (batch,)
    step = STEP / largest_curvature(forward_model, measurement)[..., 0].to(low_rank.real)
    low_rank_weight, sparse_weight = (step[:, 0, 0, 0] * weight for weight in (low_rank_weight, sparse_weight))
    for _ in track(range(settings.iterations), "L + S", "iteration"):
        # Deviation from the paper's iteration: half its step, so that none can raise the objective.
        gradient = _as_complex(likelihood_gradient(forward_model, _as_channels(low_rank + sparse), measurement))
        low_rank = threshold_singular_values(low_rank - step * gradient, low_rank_weight)
        sparse = threshold_temporal_spectrum(sparse - step * gradient, sparse_weight)
    return low_rank, sparse


def casorati(video: torch.Tensor) -> torch.Tensor:
    """Return complex videos (batch, time, y, x) as matrices (batch, pixel, frame), a column for each frame."""
    return video.flatten(2).mT


def temporal_spectrum(video: torch.Tensor) -> torch.Tensor:
    """Return ``T x`` (batch, frequency, y, x) of complex videos (batch, time, y, x); T is unitary."""
    return torch.fft.fft(video, dim=1, norm="ortho")


def threshold_singular_values(video: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Return ``argmin_L ||L - video||^2 / 2 + threshold ||L||_*`` of complex videos (batch, time, y, x).

    The singular values of each video's matrix are lowered by its `threshold` (batch,), those below it to 0.
    """
    left, values, right = torch.linalg.svd(casorati(video), full_matrices=False)
    kept = (values - threshold[:, None]).clamp(min=0)
    return ((left * kept[:, None]) @ right).mT.reshape(video.shape)


def threshold_temporal_spectrum(video: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Return ``argmin_S ||S - video||^2 / 2 + threshold ||T S||_1`` of complex videos (batch, time, y, x).

    The magnitudes of each video's temporal spectrum are lowered by its `threshold` (batch,), those below it to 0.
    """
    spectrum = temporal_spectrum(video)
    magnitude = spectrum.abs()
    kept = (magnitude - threshold[:, None, None, None]).clamp(min=0)
    return torch.fft.ifft(torch.where(kept > 0, spectrum * (kept / magnitude), 0), dim=1, norm="ortho")


def _as_complex(video: torch.Tensor) -> torch.Tensor:
    """Return videos of two channels (batch, time, 2, y, x) as complex ones (batch, time, y, x)."""
    if video.shape[2] != 2:
        raise InputError(
            f"low_rank_sparse takes real and imaginary part, and the videos have {video.shape[2]} channels; take it "
            "out of the task's references"
        )
    return torch.complex(video[:, :, 0], video[:, :, 1])


def _as_channels(video: torch.Tensor) -> torch.Tensor:
    """Return complex videos (batch, time, y, x) as ones of two channels (batch, time, 2, y, x)."""
    return torch.stack([video.real, video.imag], dim=2)
