"""Accelerated dynamic MRI with Cartesian sampling (Eqs. 14, 15)."""

from collections.abc import Mapping
from typing import NamedTuple, Self

import torch

from step.config.tasks import CartesianMriSettings as Settings
from step.contracts import Measurement
from step.errors import InputError
from step.physics.fourier import fft2c, ifft2c
from step.physics.least_squares import LeastSquares, squared
from step.physics.masks import equispaced_mask
from step.physics.outside import fit_level, line_basis


class Whitened(NamedTuple):
    """The residual of k-space with more lines than the frame has rows, in components without correlation."""

    residual: torch.Tensor  # (batch, time, line, x), complex
    variance: torch.Tensor  # (batch, time, line, x), of real and imaginary part: noise and outside


class CartesianMri(LeastSquares):
    """``y_t = m_t F(x_t) + n``: phase-encode lines of each frame, with complex Gaussian noise.

    Videos are (batch, time, 2, y, x), real and imaginary part. A measurement holds `kspace`, complex
    (batch, time, ky, kx), zero where nothing was measured, and `mask` (batch, time, ky), true where a line was, which
    may change from frame to frame. A scanner's ky may have fewer lines than the video has rows: the frame's edge is
    then zero, as seen from the centre. Or it has more: what lies outside the frame is then unknown, Gaussian and
    integrated out, as `step.physics.outside` explains. Its standard deviation is `outside_scale` (batch, time, x), per
    real and imaginary part, in units of the video; where `outside_fitted` (batch, time) is true that is a profile
    whose level in each frame is the one that makes the video's residual most likely. Both mean nothing, and are 0,
    where the lines are not more than the rows.

    Examples:
        >>> physics = step.CartesianMri.equispaced(rows=16, acceleration=4, acs_lines=4, noise_level=0.1)
        >>> video = torch.zeros(1, 3, 2, 16, 16)
        >>> y = physics.measure(video, seed=0)
        >>> y["kspace"].shape, y["mask"].shape
        (torch.Size([1, 3, 16, 16]), torch.Size([1, 3, 16]))

        A scan with more lines than the frame has rows, with an outside of std 0.2 to either side of it:

        >>> scanner = step.CartesianMri.equispaced(rows=24, acceleration=4, acs_lines=4, noise_level=0.1)
        >>> scan = scanner.measure(torch.zeros(1, 3, 2, 24, 16), seed=0)
        >>> scan = scan | {"outside_scale": torch.full((1, 3, 16), 0.2)}
    """

    kind = "kspace"

    def __init__(self, mask: torch.Tensor, noise_level: float, n_columns: int | None = None):
        """Simulate the lines where `mask` (ky,) is true; noise of std `noise_level` per real and imaginary part.

        Frames have as many rows as `mask` has lines. Lines have `n_columns` samples, any number if it is not given.
        """
        super().__init__((2, len(mask), n_columns), noise_level)
        self.mask = mask

    @classmethod
    def equispaced(
        cls, *, rows: int, acceleration: int, acs_lines: int, noise_level: float, columns: int | None = None
    ) -> Self:
        """Return the model that measures every `acceleration`-th of `rows` lines, and the `acs_lines` central ones.

        `noise_level` is the noise's standard deviation per real and imaginary part, in units of the video, orthonormal
        FFT; frames are `columns` wide, or of any width. Raises `InputError` where there are not as many lines.

        Examples:
            >>> physics = step.CartesianMri.equispaced(rows=192, acceleration=8, acs_lines=12, noise_level=0.01)
            >>> int(physics.mask.sum())
            35
        """
        return cls(equispaced_mask(rows, acceleration, acs_lines), noise_level, columns)

    @property
    def layout(self) -> Mapping[str, tuple[int | None, ...]]:
        """The names of a measurement's arrays and their axes after (batch, time); None is any length.

        There may be any number of lines, each with as many samples as a frame is wide.

        Examples:
            >>> physics.layout["kspace"], physics.layout["mask"]
            ((None, None), (None,))
        """
        n_columns = self.frame_shape[2]
        lines = {"kspace": (None, n_columns), "mask": (None,)}
        return lines | {"outside_scale": (n_columns,), "outside_fitted": ()}

    def sampling(self, video: torch.Tensor) -> Measurement:
        """Return the mask of every frame, (batch, time, ky), and that nothing is outside.

        Examples:
            >>> sorted(physics.sampling(video))
            ['mask', 'outside_fitted', 'outside_scale']
        """
        return {
            "mask": self.mask.to(video.device).expand(*video.shape[:2], len(self.mask)).clone(),
            "outside_scale": torch.zeros((*video.shape[:2], video.shape[-1]), device=video.device),
            "outside_fitted": torch.zeros(video.shape[:2], dtype=torch.bool, device=video.device),
        }

    def forward(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``F(x)`` (batch, time, ky, kx), of as many lines as the measurement's mask has (Eq. 14).

        Examples:
            >>> physics.forward(video, y).shape, physics.forward(video, scan).shape
            (torch.Size([1, 3, 16, 16]), torch.Size([1, 3, 24, 16]))
        """
        return fft2c(fit_rows(_complex(video), measurement["mask"].shape[-1]))

    def adjoint(self, data: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the zero-filled reconstruction (batch, time, 2, y, x) of the k-space `data` (batch, time, ky, kx).

        Examples:
            >>> physics.adjoint(scan["kspace"], scan).shape
            torch.Size([1, 3, 2, 16, 16])
        """
        image = fit_rows(ifft2c(data), len(self.mask))
        return torch.view_as_real(image).movedim(-1, 2).contiguous()

    def precompute(self, measurement: Measurement, dtype: torch.dtype) -> Measurement:
        """Return `measurement` with what the likelihood of any video of `dtype` needs of it, computed once.

        Where there are more lines than rows that is, per frame, `outside_lines` (batch, time, line, x), the measured
        lines in the basis of `step.physics.outside.line_basis`, `outside_rows` (batch, time, line, y) and
        `outside_gain` (batch, time, line). Components that a mask lacks are 0.

        Examples:
            >>> physics.precompute(y, torch.float32) is y
            True
            >>> physics.precompute(scan, torch.float32)["outside_rows"].shape
            torch.Size([1, 3, 9, 16])
        """
        if not self._has_outside(measurement):
            return measurement
        mask, kind = measurement["mask"], torch.complex(*torch.empty(2, 0, dtype=dtype)).dtype
        distinct, place = mask.flatten(0, 1).unique(dim=0, return_inverse=True)
        bases = [line_basis(lines, len(self.mask)) for lines in distinct]
        of_frame = {}
        for name, number in (("lines", kind), ("rows", kind), ("gain", dtype)):
            parts = [getattr(basis, name).to(mask.device, number) for basis in bases]
            padded = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
            one = len(distinct) == 1  # then frames share memory
            of_frame[name] = padded[0].expand(*mask.shape[:2], *padded.shape[1:]) if one else padded[place]
            of_frame[name] = of_frame[name].reshape(*mask.shape[:2], *padded.shape[1:])
        return {
            **measurement,
            "outside_lines": of_frame["lines"] @ transform_readout(measurement["kspace"]).to(kind),
            "outside_rows": of_frame["rows"],
            "outside_gain": of_frame["gain"],
        }

    def negative_log_likelihood(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``|| m F(x) - y ||^2 / (2 noise_level^2)`` (Eq. 15), shape (batch,).

        With an outside the residual is whitened by the covariance of noise and outside. Where the outside's level is
        fitted, the logarithm of the covariance's determinant, which then depends on the video, is in it (0 without an
        outside); the level is at its optimum, so the gradient is that at a fixed level.

        Examples:
            >>> physics.negative_log_likelihood(video, y).shape
            torch.Size([1])
            >>> without = scan | {"outside_scale": torch.zeros(1, 3, 16)}
            >>> bool(physics.negative_log_likelihood(video, scan) < physics.negative_log_likelihood(video, without))
            True
        """
        if not self._has_outside(measurement):
            return super().negative_log_likelihood(video, measurement)
        residual, variance = self._whitened(video, measurement)
        log_determinant = (variance / self.noise_level**2).log().sum(dim=(2, 3)) * measurement["outside_fitted"]
        return (squared(residual) / (2 * variance)).sum(dim=(1, 2, 3)) + log_determinant.sum(dim=1)

    def residuals(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``(m F(x) - y) / noise_level`` (batch, datum), real and imaginary parts; 0 where none is measured.

        With an outside they are whitened. A fitted level counts as a constant: that of `video`.

        Examples:
            >>> residuals = physics.residuals(video, y)
            >>> torch.allclose(residuals.square().sum(1) / 2, physics.negative_log_likelihood(video, y))
            True
        """
        if not self._has_outside(measurement):
            return super().residuals(video, measurement)
        residual, variance = self._whitened(video, measurement)
        return torch.view_as_real(residual / variance.sqrt()).flatten(1)

    def misfit(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the paper's data misfit: the mean squared error per measured sample, *unnormalised* FFT, (batch,).

        An unnormalised FFT of y * x pixels is sqrt(y x) times the orthonormal one, hence the factor. It is that of the
        frame alone: what lies outside it, in k-space of more lines than rows, is in the misfit; `chi_squares` allows
        for it.

        Examples:
            >>> measured = y["kspace"][y["mask"]]  # of a dark video it is noise
            >>> torch.allclose(physics.misfit(video, y), 16 * 16 * measured.abs().square().mean())
            True
        """
        n_pixels = measurement["kspace"].shape[-2] * measurement["kspace"].shape[-1]
        return super().misfit(video, measurement) * n_pixels

    def chi_squares(self, video: torch.Tensor, measurement: Measurement) -> Mapping[str, torch.Tensor]:
        """Return the reduced chi-square of the k-space samples at the model's noise level, shape (batch,).

        With an outside its variance is in the errors, at the scale that is stated. Where the level is fitted, one
        number a frame is taken from the residual itself, so a chi-square near 1 says that the residual has the shape
        of noise and outside; how much outside it takes is `outside_energy`.

        Examples:
            >>> 0.8 < physics.chi_squares(video, y)["kspace"].item() < 1.2
            True
        """
        if not self._has_outside(measurement):
            return super().chi_squares(video, measurement)
        residual, variance = self._whitened(video, measurement)
        squares = squared(residual) / (2 * variance)
        return {"kspace": squares.sum(dim=(1, 2, 3)) / self._n_measured(measurement)}

    def outside_energy(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the energy of the measured lines that comes from outside the frame, as a share of all, (batch,).

        It is that of the posterior mean of ``M F Q w`` given the video: ``s^2 g / (sigma^2 + s^2 g)`` of each
        component of the residual. 0 where nothing is outside.

        Examples:
            >>> physics.outside_energy(video, y)
            tensor([0.])
            >>> 0 < physics.outside_energy(video, scan).item() < 1
            True
        """
        total = squared(measurement["kspace"]).sum(dim=(1, 2, 3))
        if not self._has_outside(measurement):
            return torch.zeros_like(total)
        residual, variance = self._whitened(video, measurement)
        return squared(residual * (1 - self.noise_level**2 / variance)).sum(dim=(1, 2, 3)) / total

    def _has_outside(self, measurement: Measurement) -> bool:
        return measurement["mask"].shape[-1] > len(self.mask)

    def _whitened(self, video: torch.Tensor, measurement: Measurement) -> Whitened:
        """Return the residual's components and their variances; of components that a mask lacks, 0 and the noise's."""
        prepared = measurement if "outside_rows" in measurement else self.precompute(measurement, video.dtype)
        residual = prepared["outside_rows"] @ _complex(video) - prepared["outside_lines"]
        scale = prepared["outside_scale"].to(video.dtype)
        outside = prepared["outside_gain"][..., None] * scale[..., None, :].square()
        level = fit_level(squared(residual.detach()) / 2, outside, self.noise_level**2)
        level = torch.where(prepared["outside_fitted"], level, torch.ones_like(level))
        return Whitened(residual, self.noise_level**2 + level[..., None, None] * outside)


def fit_rows(image: torch.Tensor, n_rows: int) -> torch.Tensor:
    """Return `image` (..., y, x) cut or filled with zeros to `n_rows` rows; index ``n // 2`` stays the centre."""
    missing = n_rows - image.shape[-2]
    if missing == 0:
        return image
    before = n_rows // 2 - image.shape[-2] // 2
    return torch.nn.functional.pad(image, (0, 0, before, missing - before))


def transform_readout(kspace: torch.Tensor) -> torch.Tensor:
    """Return the columns (..., ky, x) of `kspace` (..., ky, kx): the readout's inverse transform, orthonormal."""
    # Each line as an image of one row, so that the transform over both axes is one along kx.
    return ifft2c(kspace[..., None, :])[..., 0, :]


def build(settings: Settings, shape: tuple[int, int, int, int], noise_level: float | None) -> CartesianMri:
    """Return the forward model for videos of `shape` (time, channel, y, x).

    `noise_level` replaces the settings' own where the likelihood assumes another one than the measurement has.
    """
    _, channels, n_lines, n_columns = shape
    if channels != 2:
        raise InputError(f"the mri measurement needs 2 channels (real, imaginary), the videos have {channels}")
    mask = equispaced_mask(n_lines, settings.acceleration, settings.acs_lines)
    return CartesianMri(mask, settings.noise_level if noise_level is None else noise_level, n_columns)


def _complex(video: torch.Tensor) -> torch.Tensor:
    return torch.complex(video[:, :, 0], video[:, :, 1])
