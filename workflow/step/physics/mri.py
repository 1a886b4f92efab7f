"""Accelerated dynamic MRI with Cartesian sampling (Eqs. 14, 15)."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import torch

from step.config.tasks import CartesianMriSettings as Settings
from step.config.tasks import CoilArray
from step.contracts import Measurement
from step.errors import InputError
from step.physics.coil_encoding import Encoding, encode, normal, squared_misfit
from step.physics.coil_maps import estimate_maps, maps_for, with_estimated_maps
from step.physics.fourier import complex_of, fft2c, fit_rows, ifft2c, transform_readout
from step.physics.least_squares import LeastSquares, squared
from step.physics.masks import equispaced_mask, line_masks
from step.physics.outside import fit_level, line_basis
from step.physics.outside_coils import combine_components, components_of, outside_of, precompute_outside
from step.physics.receivers import sample_coil_ring


class Whitened(NamedTuple):
    """The residual of k-space with more lines than the frame has rows, in components without correlation."""

    residual: torch.Tensor  # (batch, time, component, x), complex
    variance: torch.Tensor  # (batch, time, component, x), of real and imaginary part: noise and outside


class CartesianMri(LeastSquares):
    """``y_t = m_t F(x_t) + n``: phase-encode lines of each frame, with complex Gaussian noise.

    Of several coils, ``y_{t,c} = m_t F(S_c x_t) + n``, each with its map S_c.

    Videos are (batch, time, 2, y, x), real and imaginary part. A measurement holds `kspace`, complex
    (batch, time, ky, kx), zero where nothing was measured, and `mask` (batch, time, ky), true where a line was, which
    may change from frame to frame. A scanner's ky may have fewer lines than the video has rows: the frame's edge is
    then zero, as seen from the centre. Or it has more: what lies outside the frame is then unknown, Gaussian and
    integrated out, as `step.physics.outside` explains. Its standard deviation is `outside_scale` (batch, time, x), per
    real and imaginary part, in units of the video; where `outside_fitted` (batch, time) is true that is a profile
    whose level in each frame is the one that makes the video's residual most likely. Both mean nothing, and are 0,
    where the lines are not more than the rows.

    With several coils the measurement holds `coil_maps` besides, complex (batch, time, coil, y, x), y as many as ky,
    and `kspace` is (batch, time, coil, ky, kx), its noise white and alike in all coils. Where the maps' sum of squares
    is 1 or less the operator's norm is too. Frames and coils are evaluated a few at a time, so that memory for coil
    images is bounded. `mask` may be (batch, time, ky, kx) where lines are measured in part.

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

        Two coils, one of which sees the left, the other one the right:

        >>> maps = torch.zeros(2, 16, 16, dtype=torch.complex64)
        >>> maps[0, :, :8], maps[1, :, 8:] = 1, 1
        >>> coils = step.CartesianMri(physics.mask, noise_level=0.1, coil_maps=maps)
        >>> of_coils = coils.measure(video, seed=0)
        >>> of_coils["kspace"].shape, of_coils["coil_maps"].shape
        (torch.Size([1, 3, 2, 16, 16]), torch.Size([1, 3, 2, 16, 16]))
    """

    kind = "kspace"

    def __init__(
        self,
        mask: torch.Tensor,
        noise_level: float,
        n_columns: int | None = None,
        coil_maps: torch.Tensor | None = None,
        maps_are_estimated: bool = False,
    ):
        """Simulate the lines where `mask` is true; noise of std `noise_level` per real and imaginary part.

        `mask` is (ky,), or (time, ky) where it changes; frames have as many rows as it has lines. Lines have
        `n_columns` samples, any number if it is not given. `coil_maps` (coil, y, x), complex, are those of simulated
        measurements; None is one coil that sees all alike. If `maps_are_estimated`, a simulated measurement holds maps
        that are made from its own data instead, as those of a scan are. Real data bring their own masks and maps.
        Raises `InputError` for maps of another size.
        """
        n_rows = mask.shape[-1]
        if coil_maps is not None:
            if coil_maps.ndim != 3 or coil_maps.shape[1] != n_rows or n_columns not in (None, coil_maps.shape[2]):
                raise InputError(
                    f"coil maps of {tuple(coil_maps.shape)} do not fit {n_rows} lines of {n_columns or 'any number of'}"
                    " samples; give them as (coil, y, x), y as many as lines, x as many as samples"
                )
            n_columns = coil_maps.shape[2]
        super().__init__((2, n_rows, n_columns), noise_level)
        self.n_rows = n_rows
        self.mask = mask
        self.coil_maps = coil_maps
        self.maps_are_estimated = maps_are_estimated

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
        if self.coil_maps is not None:
            lines = {"kspace": (None, None, n_columns), "mask": (None,), "coil_maps": (None, None, n_columns)}
        return lines | {"outside_scale": (n_columns,), "outside_fitted": ()}

    @property
    def layouts(self) -> Sequence[Mapping[str, tuple[int | None, ...]]]:
        """All the layouts that are understood, that of simulated measurements first: one coil or several.

        The mask is one of lines, or one of their samples.

        Examples:
            >>> [(len(layout["kspace"]), len(layout["mask"])) for layout in physics.layouts]
            [(2, 1), (2, 2), (3, 1), (3, 2)]
        """
        n_columns = self.frame_shape[2]
        found = [self.layout]
        for coils in ({}, {"coil_maps": (None, None, n_columns)}):
            kspace = (None, None, n_columns) if coils else (None, n_columns)
            for mask in ((None,), (None, n_columns)):
                layout = {**self.layout, "kspace": kspace, "mask": mask}
                layout.pop("coil_maps", None)
                found += [] if layout | coils == self.layout else [layout | coils]
        return found

    def sampling(self, video: torch.Tensor) -> Measurement:
        """Return the mask of every frame, (batch, time, ky), the coils' maps if there are, and that nothing is outside.

        Raises `InputError` for a video of another number of frames than the mask has.

        Examples:
            >>> sorted(physics.sampling(video))
            ['mask', 'outside_fitted', 'outside_scale']
        """
        if self.mask.ndim == 2 and len(self.mask) != video.shape[1]:
            raise InputError(
                f"the video has {video.shape[1]} frames, the mask {len(self.mask)}; give one line mask for each frame"
            )
        sampled = {
            "mask": self.mask.to(video.device).expand(*video.shape[:2], self.n_rows).clone(),
            "outside_scale": torch.zeros((*video.shape[:2], video.shape[-1]), device=video.device),
            "outside_fitted": torch.zeros(video.shape[:2], dtype=torch.bool, device=video.device),
        }
        if self.coil_maps is not None:
            sampled["coil_maps"] = maps_for(self.coil_maps, video)
        return sampled

    def measure(
        self, video: torch.Tensor | np.ndarray, generator: torch.Generator | None = None, *, seed: int | None = None
    ) -> Measurement:
        """Return the simulated noisy measurement of `video` (batch, time, 2, y, x), or of one without its batch.

        It has `kspace` and what `sampling` returns. Estimated maps have the true ones' common phase, which no data
        tell from the object's: with another one the video's phase would not be the measured one's. Raises `InputError`
        as `step.LeastSquares.measure`, and where too few central lines are measured to estimate maps.

        Examples:
            >>> estimating = step.CartesianMri(physics.mask, 0.1, coil_maps=maps, maps_are_estimated=True)
            >>> torch.equal(estimating.measure(video + 1, seed=0)["coil_maps"][0, 0], maps)
            False
        """
        measurement = super().measure(video, generator, seed=seed)
        if self.coil_maps is None or not self.maps_are_estimated:
            return measurement
        parts = zip(measurement["kspace"], measurement["mask"], strict=True)
        return with_estimated_maps(measurement, (estimate_maps(kspace, mask) for kspace, mask in parts))

    def forward(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``F(x)`` (batch, time, ky, kx), of as many lines as the measurement's mask has (Eq. 14).

        With several coils it is ``F(S_c x)`` (batch, time, coil, ky, kx).

        Examples:
            >>> physics.forward(video, y).shape, physics.forward(video, scan).shape
            (torch.Size([1, 3, 16, 16]), torch.Size([1, 3, 24, 16]))
        """
        image = fit_rows(as_complex(video), measurement["mask"].shape[2])
        return fft2c(measurement["coil_maps"] * image[:, :, None] if "coil_maps" in measurement else image)

    def adjoint(self, data: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the zero-filled reconstruction (batch, time, 2, y, x) of the k-space `data` (batch, time, ky, kx).

        Several coils, `data` (batch, time, coil, ky, kx), are combined by their maps' conjugates.

        Examples:
            >>> physics.adjoint(scan["kspace"], scan).shape
            torch.Size([1, 3, 2, 16, 16])
        """
        image = self._combined(data, measurement) if "coil_maps" in measurement else ifft2c(data)
        return as_channels(fit_rows(image, self.n_rows))

    def curvature(self, video: torch.Tensor, measurement: Measurement) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the function that multiplies a video by ``J' J``, J the derivative of the residuals at `video`.

        With several coils no residuals are made for it: it is ``sum_c conj(S_c) F' m' m F S_c / noise_level^2``, a few
        frames and coils at a time.

        Examples:
            >>> product = coils.curvature(video, of_coils)(video + 1)
            >>> ahead = coils.residuals(video + 1, of_coils) - coils.residuals(video, of_coils)
            >>> torch.allclose(((video + 1) * product).sum(), ahead.square().sum())
            True
        """
        if "coil_maps" not in measurement:
            return super().curvature(video, measurement)
        prepared = measurement if "encoded_maps" in measurement else self.precompute(measurement, video.dtype)
        encoding, n_lines = self._encoding(prepared, video.dtype), measurement["mask"].shape[2]
        variance = self._whitened(video, prepared).variance if self._has_outside(prepared) else None

        def product(direction: torch.Tensor) -> torch.Tensor:
            image = as_complex(direction)
            result = fit_rows(normal(fit_rows(image, n_lines), encoding), self.n_rows)
            if variance is not None:
                seen = (prepared["outside_rows"] @ image.mT[..., None])[..., 0].mT
                result = result - combine_components(seen * (1 - self.noise_level**2 / variance), prepared)
            return as_channels(result) / self.noise_level**2

        return product

    def precompute(self, measurement: Measurement, dtype: torch.dtype) -> Measurement:
        """Return `measurement` with what the likelihood of any video of `dtype` needs of it, computed once.

        Where there are more lines than rows that is, per frame, `outside_lines` (batch, time, line, x), the measured
        lines in the basis of `step.physics.outside.line_basis`, `outside_rows` (batch, time, line, y) and
        `outside_gain` (batch, time, line). Components that a mask lacks are 0. With several coils it is their
        `step.physics.coil_encoding.Encoding`: `encoded_maps`, `encoded_mask` and `encoded_kspace`, and, where there is
        something outside, what `step.physics.outside_coils.precompute_outside` returns.

        Examples:
            >>> physics.precompute(y, torch.float32) is y
            True
            >>> physics.precompute(scan, torch.float32)["outside_rows"].shape
            torch.Size([1, 3, 9, 16])
        """
        if "coil_maps" in measurement:
            return self._precompute_coils(measurement, dtype)
        if not self._has_outside(measurement):
            return measurement
        mask, kind = measurement["mask"], complex_of(dtype)
        distinct, place = mask.flatten(0, 1).unique(dim=0, return_inverse=True)
        bases = [line_basis(lines, self.n_rows) for lines in distinct]
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
        whitened = self._whitened(video, measurement)
        of_level = (whitened.variance / self.noise_level**2).log().sum(dim=(2, 3)) * measurement["outside_fitted"]
        return self._half_squares(video, whitened, measurement) + of_level.sum(dim=1)

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
        if "coil_maps" in measurement:
            return self._residuals_of_coils(video, measurement)
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
        squares = self._half_squares(video, self._whitened(video, measurement), measurement)
        return {"kspace": squares / self._n_measured(measurement)}

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
        total = squared(measurement["kspace"]).flatten(1).sum(1)
        if not self._has_outside(measurement):
            return torch.zeros_like(total)
        residual, variance = self._whitened(video, measurement)
        return squared(residual * (1 - self.noise_level**2 / variance)).sum(dim=(1, 2, 3)) / total

    def _has_outside(self, measurement: Measurement) -> bool:
        if "encoded_maps" in measurement:
            return "outside_rows" in measurement
        more_lines = measurement["mask"].shape[2] > self.n_rows
        # Of one coil, data that state an outside of 0 have always gone the way of others.
        return more_lines and ("coil_maps" not in measurement or bool(measurement["outside_scale"].any()))

    def _mask_of(self, data: torch.Tensor, measurement: Measurement) -> torch.Tensor | None:
        mask = measurement["mask"]
        mask = mask[:, :, None] if "coil_maps" in measurement else mask
        return mask.reshape(*mask.shape, *(1,) * (data.ndim - mask.ndim))

    def _combined(self, data: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``sum_c conj(S_c) F' y_c`` (batch, time, y, x) of the whole field of view."""
        # Coil by coil, so that one coil's images exist at a time.
        coils = zip(measurement["coil_maps"].unbind(2), data.unbind(2), strict=True)
        image = torch.zeros_like(data[:, :, 0])
        for maps, kspace in coils:
            image = image + maps.conj() * ifft2c(kspace)
        return image

    def _sum_of_squares(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        if "coil_maps" not in measurement:
            return super()._sum_of_squares(video, measurement)
        image = fit_rows(as_complex(video), measurement["mask"].shape[2])
        return squared_misfit(image, self._encoding(measurement, video.dtype))

    def _encoding(self, measurement: Measurement, dtype: torch.dtype) -> Encoding:
        """Return what `precompute` found, or find it; raises `InputError` for maps that do not fit the k-space."""
        if "encoded_maps" in measurement:
            return Encoding(*(measurement[f"encoded_{name}"] for name in Encoding._fields))
        kspace, maps = measurement["kspace"], measurement["coil_maps"]
        if maps.shape != kspace.shape:
            raise InputError(
                f"coil maps of {tuple(maps.shape)} do not fit k-space of {tuple(kspace.shape)}, both (batch, time,"
                " coil, y, x); give a map for each coil, of as many rows as there are lines"
            )
        return encode(kspace, measurement["mask"], maps, dtype)

    def _whitened(self, video: torch.Tensor, measurement: Measurement) -> Whitened:
        """Return the residual's components and their variances; of components that a mask lacks, 0 and the noise's."""
        prepared = measurement if "outside_rows" in measurement else self.precompute(measurement, video.dtype)
        image, scale = as_complex(video), prepared["outside_scale"].to(video.dtype)[..., None, :]
        if "coil_maps" in measurement:
            residual, gain = components_of(image, prepared), prepared["outside_gain"]
        else:
            residual = prepared["outside_rows"] @ image - prepared["outside_lines"]
            gain = prepared["outside_gain"][..., None]
        outside = gain * scale.square()
        level = fit_level(squared(residual.detach()) / 2, outside, self.noise_level**2)
        level = torch.where(prepared["outside_fitted"], level, torch.ones_like(level))
        return Whitened(residual, self.noise_level**2 + level[..., None, None] * outside)

    def _half_squares(self, video: torch.Tensor, whitened: Whitened, measurement: Measurement) -> torch.Tensor:
        """Return half the sum of squares (batch,) of the residual in units of its errors."""
        of_components = (squared(whitened.residual) / (2 * whitened.variance)).sum(dim=(1, 2, 3))
        if "coil_maps" not in measurement:
            return of_components
        # All but the components has noise alone.
        rest = self._sum_of_squares(video, measurement) - squared(whitened.residual).sum(dim=(1, 2, 3))
        return of_components + rest / (2 * self.noise_level**2)

    def _precompute_coils(self, measurement: Measurement, dtype: torch.dtype) -> Measurement:
        encoding = self._encoding(measurement, dtype)
        prepared = {**measurement, **{f"encoded_{name}": array for name, array in encoding._asdict().items()}}
        if self._has_outside(measurement):
            mask, maps = measurement["mask"], measurement["coil_maps"]
            if mask.ndim > 3:
                raise InputError(
                    f"k-space has {mask.shape[2]} lines, some measured in part, and the frame {self.n_rows} rows: what "
                    "is outside cannot be integrated out; state an outside of scale 0, or leave out such lines"
                )
            zero_filled = self._combined(self._measured(measurement["kspace"], measurement), measurement).to(
                complex_of(dtype)
            )
            prepared |= precompute_outside(mask, maps, zero_filled, self.n_rows)
        return prepared

    def _residuals_of_coils(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the residuals that have noise alone, and next to them the components that have the outside too."""
        prepared = measurement if "outside_rows" in measurement else self.precompute(measurement, video.dtype)
        residual, variance = self._whitened(video, prepared)
        n_lines = measurement["mask"].shape[2]
        image = fit_rows(as_complex(video), n_lines) - outside_of(residual, prepared, n_lines, self.n_rows)
        lines = self._measured(fft2c(prepared["coil_maps"] * image[:, :, None]) - prepared["kspace"], prepared)
        parts = [lines / self.noise_level, residual / variance.sqrt()]
        return torch.cat([torch.view_as_real(part).flatten(1) for part in parts], dim=1)


def build(settings: Settings, shape: tuple[int, int, int, int], noise_level: float | None) -> CartesianMri:
    """Return the forward model for videos of `shape` (time, channel, y, x).

    `noise_level` replaces the settings' own where the likelihood assumes another one than the measurement has.
    """
    n_frames, channels, n_lines, n_columns = shape
    if channels != 2:
        raise InputError(f"the mri measurement needs 2 channels (real, imaginary), the videos have {channels}")
    masks = line_masks(n_frames, n_lines, settings.acceleration, settings.acs_lines, settings.pattern)
    if bool((masks == masks[:1]).all()):
        masks = masks[0]  # of any number of frames
    level = settings.noise_level if noise_level is None else noise_level
    coils = settings.coils
    maps = None if coils is None else simulated_maps(coils, n_lines, n_columns)
    return CartesianMri(masks, level, n_columns, maps, coils is not None and coils.maps == "estimated")


def simulated_maps(coils: CoilArray, n_rows: int, n_columns: int) -> torch.Tensor:
    """Return the maps (coil, y, x), complex64, of simulated `coils` for frames of so many rows and columns."""
    pixel_mm = coils.field_of_view_mm / n_columns
    y_mm, x_mm = ((np.arange(n) - n // 2) * pixel_mm for n in (n_rows, n_columns))
    around = (coils.count, coils.distance_mm, coils.reach_mm, coils.phase_slope_rad)
    maps = sample_coil_ring(y_mm[:, None], x_mm[None], *around, np.random.default_rng(coils.seed))
    return torch.from_numpy(maps.astype(np.complex64))


def as_complex(video: torch.Tensor) -> torch.Tensor:
    """Return videos of two channels (batch, time, 2, y, x) as complex images (batch, time, y, x)."""
    return torch.view_as_complex(video.movedim(2, -1).contiguous())


def as_channels(image: torch.Tensor) -> torch.Tensor:
    """Return complex images (batch, time, y, x) as videos (batch, time, 2, y, x)."""
    return torch.view_as_real(image).movedim(-1, 2).contiguous()
