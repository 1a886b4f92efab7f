"""Dynamic MRI off the grid: spokes, spirals and any other trajectory, of one coil or several."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from step.config.tasks import NonCartesianMriSettings as Settings
from step.contracts import Measurement
from step.errors import InputError
from step.physics.coil_maps import maps_for, maps_of_images, with_estimated_maps
from step.physics.density import density_weights
from step.physics.fourier import complex_of
from step.physics.least_squares import LeastSquares
from step.physics.mri import as_channels, as_complex, simulated_maps
from step.physics.point_encoding import image_of, normal, samples_of, squared_misfit
from step.physics.trajectories import points_of

COVERED = 0.9
"""Share of a disc of k-space that its samples stand for, from which on coil maps may be estimated of it."""

POWER_ITERATIONS = 30
"""Of the largest eigenvalue of ``A' A``, which they find within a percent or so."""

POWER_MARGIN = 1.05


class NonCartesianMri(LeastSquares):
    """``y_{t,c} = F_t(S_c x_t) + n``: k-space at the points of each frame's trajectory, with complex Gaussian noise.

    Videos are (batch, time, 2, y, x), real and imaginary part. A measurement holds `kspace`, complex
    (batch, time, coil, readout, sample), `trajectory` (batch, time, readout, sample, 2), the points (ky, kx) in cycles
    per field of view, and `density` (batch, time, readout, sample), how many cells of the grid each sample stands for,
    which the backprojection alone uses. With several coils there are `coil_maps`, complex (batch, time, coil, y, x);
    without them one coil sees all alike. F_t is the transform of `step.physics.fourier` where the points are those of
    the grid. Frames and a few coils at a time are evaluated by a nonuniform FFT (extra ``[mri]``).

    Examples:
        >>> from step.physics.trajectories import golden_spokes
        >>> spokes = golden_spokes(n_frames=3, n_spokes=5, shape=(16, 16), oversampling=2)
        >>> physics = step.NonCartesianMri(spokes, (16, 16), noise_level=0.1)
        >>> video = torch.zeros(1, 3, 2, 16, 16)
        >>> y = physics.measure(video, seed=0)
        >>> y["kspace"].shape, y["trajectory"].shape
        (torch.Size([1, 3, 1, 5, 32]), torch.Size([1, 3, 5, 32, 2]))
    """

    kind = "kspace"

    def __init__(
        self,
        trajectory: torch.Tensor,
        shape: tuple[int, int],
        noise_level: float,
        coil_maps: torch.Tensor | None = None,
        maps_are_estimated: bool = False,
    ):
        """Simulate samples at the points `trajectory` (time, readout, sample, 2) of frames of `shape` (y, x).

        `noise_level` is the noise's standard deviation per real and imaginary part of each sample, in units of the
        video. `coil_maps` (coil, y, x), complex, are those of simulated measurements; if `maps_are_estimated`, these
        hold maps made from their own data instead. Real data bring their own trajectory and maps. Raises `InputError`
        for maps of another size, and for points beyond the edge of k-space.
        """
        if coil_maps is not None and (coil_maps.ndim != 3 or tuple(coil_maps.shape[1:]) != tuple(shape)):
            raise InputError(
                f"coil maps of {tuple(coil_maps.shape)} do not fit frames of {tuple(shape)}; give them as (coil, y, x)"
            )
        edge = torch.tensor(shape, dtype=torch.float64) / 2
        if trajectory.ndim != 4 or trajectory.shape[-1] != 2 or bool((trajectory.abs() > edge + 1e-6).any()):
            raise InputError(
                f"a trajectory of {tuple(trajectory.shape)} reaches {float(trajectory.abs().max()):.4g} cycles; give "
                f"(time, readout, sample, 2), within {shape[0] / 2:g} cycles per field of view along ky and "
                f"{shape[1] / 2:g} along kx"
            )
        super().__init__((2, *shape), noise_level)
        self.shape = shape
        self.trajectory = trajectory
        self.coil_maps = coil_maps
        self.maps_are_estimated = maps_are_estimated
        self._density: torch.Tensor | None = None

    @property
    def layout(self) -> Mapping[str, tuple[int | None, ...]]:
        """The names of a measurement's arrays and their axes after (batch, time); None is any length.

        Examples:
            >>> physics.layout["kspace"], physics.layout["trajectory"]
            ((1, None, None), (None, None, 2))
        """
        return self._layout(self.coil_maps is not None)

    @property
    def layouts(self) -> Sequence[Mapping[str, tuple[int | None, ...]]]:
        """All the layouts that are understood, that of simulated measurements first: one coil or several.

        Examples:
            >>> ["coil_maps" in layout for layout in physics.layouts]
            [False, True]
        """
        has_maps = self.coil_maps is not None
        return [self._layout(has_maps), self._layout(not has_maps)]

    def sampling(self, video: torch.Tensor) -> Measurement:
        """Return the trajectory of every frame, its samples' density, and the coils' maps if there are.

        Raises `InputError` for a video of another number of frames than the trajectory has.

        Examples:
            >>> sorted(physics.sampling(video))
            ['density', 'trajectory']
        """
        if len(self.trajectory) != video.shape[1]:
            raise InputError(
                f"the video has {video.shape[1]} frames, the trajectory {len(self.trajectory)}; give one for each frame"
            )
        if self._density is None:
            frames = [density_weights(points.flatten(0, 1), self.shape) for points in self.trajectory]
            self._density = torch.stack(frames).unflatten(1, self.trajectory.shape[1:3])
        found = {"trajectory": self.trajectory, "density": self._density}
        sampled = {
            name: array.to(video.device, video.dtype).expand(len(video), *array.shape) for name, array in found.items()
        }
        if self.coil_maps is not None:
            sampled["coil_maps"] = maps_for(self.coil_maps, video)
        return sampled

    def measure(
        self, video: torch.Tensor | np.ndarray, generator: torch.Generator | None = None, *, seed: int | None = None
    ) -> Measurement:
        """Return the simulated noisy measurement of `video` (batch, time, 2, y, x), or of one without its batch.

        It has `kspace` and what `sampling` returns. Estimated maps have the true ones' common phase, which no data
        tell from the object's. Raises `InputError` as `step.LeastSquares.measure`.

        Examples:
            >>> maps = torch.full((2, 16, 16), 0.5**0.5, dtype=torch.complex64)
            >>> coils = step.NonCartesianMri(spokes, (16, 16), 0.1, coil_maps=maps)
            >>> coils.measure(video, seed=0)["kspace"].shape
            torch.Size([1, 3, 2, 5, 32])
        """
        measurement = super().measure(video, generator, seed=seed)
        if self.coil_maps is None or not self.maps_are_estimated:
            return measurement
        parts = zip(measurement["kspace"], measurement["trajectory"], strict=True)
        return with_estimated_maps(measurement, (estimate_maps(kspace, points, self.shape) for kspace, points in parts))

    def forward(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``F_t(S_c x_t)`` (batch, time, coil, readout, sample).

        Examples:
            >>> physics.forward(video, y).shape
            torch.Size([1, 3, 1, 5, 32])
        """
        samples = samples_of(as_complex(video), *self._encoding(measurement, video.dtype))
        return samples.unflatten(-1, measurement["trajectory"].shape[2:4])

    def adjoint(self, data: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the transpose (batch, time, 2, y, x) of `data` (batch, time, coil, readout, sample).

        Examples:
            >>> physics.adjoint(y["kspace"], y).shape
            torch.Size([1, 3, 2, 16, 16])
        """
        return as_channels(image_of(data.flatten(3, 4), *self._encoding(measurement, data.real.dtype)))

    def backprojection(self, measurement: Measurement) -> torch.Tensor:
        """Return the zero-filled reconstruction (batch, time, 2, y, x): the adjoint of the data times their density.

        Examples:
            >>> physics.backprojection(y).shape
            torch.Size([1, 3, 2, 16, 16])
        """
        return self.adjoint(measurement["kspace"] * measurement["density"][:, :, None], measurement)

    def curvature(self, video: torch.Tensor, measurement: Measurement) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the function that multiplies a video by ``A' A / noise_level^2``, a few coils at a time.

        Examples:
            >>> product = physics.curvature(video, y)(video + 1)
            >>> ahead = physics.residuals(video + 1, y) - physics.residuals(video, y)
            >>> torch.allclose(((video + 1) * product).sum(), ahead.square().sum())
            True
        """
        encoding = self._encoding(measurement, video.dtype)
        return lambda direction: as_channels(normal(as_complex(direction), *encoding)) / self.noise_level**2

    def curvature_bound(self, measurement: Measurement) -> torch.Tensor:
        """Return what no eigenvalue of ``A' A / noise_level^2`` exceeds, shape (batch,), by the power method.

        The centre of k-space is measured by every readout, so that it is far above that of one sample a cell.

        Examples:
            >>> bool(physics.with_noise_level(1).curvature_bound(y) > 1)
            True
        """
        kspace = measurement["kspace"]
        generator = torch.Generator().manual_seed(0)
        start = torch.randn((kspace.shape[1], 2, *self.shape), generator=generator, dtype=kspace.real.dtype)
        video = start.to(kspace.device).expand(len(kspace), *start.shape)
        product = self.curvature(video, measurement)
        for _ in range(POWER_ITERATIONS):
            image = product(video)
            length = image.flatten(1).norm(dim=1)
            video = image / length[:, None, None, None, None]
        return POWER_MARGIN * length

    def misfit(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the mean squared error per sample of the *unnormalised* transform, as the paper reports it, (batch,).

        Examples:
            >>> measured = y["kspace"].abs().square().mean()  # of a dark video it is noise
            >>> torch.allclose(physics.misfit(video, y), 16 * 16 * measured)
            True
        """
        return super().misfit(video, measurement) * (self.shape[0] * self.shape[1])

    def _sum_of_squares(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        points, maps = self._encoding(measurement, video.dtype)
        kspace = measurement["kspace"].flatten(3, 4).to(maps.dtype)
        return squared_misfit(as_complex(video), kspace, points, maps)

    def _encoding(self, measurement: Measurement, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the points (batch, time, sample, 2) and the maps (batch, time, coil, y, x) for videos of `dtype`."""
        points = measurement["trajectory"].flatten(2, 3)
        if "coil_maps" in measurement:
            return points, measurement["coil_maps"].to(complex_of(dtype))
        one = torch.ones((), dtype=complex_of(dtype), device=points.device)
        return points, one.expand(*points.shape[:2], 1, *self.shape)

    def _layout(self, has_maps: bool) -> Mapping[str, tuple[int | None, ...]]:
        layout: dict[str, tuple[int | None, ...]] = {"kspace": (None if has_maps else 1, None, None)}
        layout |= {"trajectory": (None, None, 2), "density": (None, None)}
        return layout | ({"coil_maps": (None, *self.shape)} if has_maps else {})


def estimate_maps(kspace: torch.Tensor, trajectory: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Return the maps (coil, y, x) of `kspace` (time, coil, readout, sample) along `trajectory`.

    The frames' samples together are taken for those of one image, their time average, as far from the centre as they
    lie dense enough. `trajectory` is (time, readout, sample, 2), `shape` (y, x).
    """
    points = trajectory.flatten(0, 2)
    samples = kspace.movedim(1, 0).flatten(1)
    weights = density_weights(points, shape)
    edge = torch.tensor(shape, dtype=points.dtype, device=points.device) / 2
    radius = (points / edge).norm(dim=1)
    order = radius.argsort()
    area = torch.pi * edge.prod() * radius[order].square()
    covered = weights[order].cumsum(0) >= COVERED * area
    reach = radius[order][covered].max()
    central = (weights * (radius <= reach)).to(samples.real.dtype) * samples
    everywhere = torch.ones((), dtype=samples.dtype, device=samples.device).expand(1, 1, 1, *shape)
    images = [image_of(coil[None, None, None], points[None, None], everywhere)[0, 0] for coil in central]
    return maps_of_images(torch.stack(images))


def build(settings: Settings, shape: tuple[int, int, int, int], noise_level: float | None) -> NonCartesianMri:
    """Return the forward model for videos of `shape` (time, channel, y, x).

    `noise_level` replaces the settings' own where the likelihood assumes another one than the measurement has.
    """
    n_frames, channels, n_rows, n_columns = shape
    if channels != 2:
        raise InputError(f"non_cartesian_mri needs 2 channels (real, imaginary), the videos have {channels}")
    coils = settings.coils
    return NonCartesianMri(
        points_of(settings.trajectory, n_frames, (n_rows, n_columns)),
        (n_rows, n_columns),
        settings.noise_level if noise_level is None else noise_level,
        None if coils is None else simulated_maps(coils, n_rows, n_columns),
        coils is not None and coils.maps == "estimated",
    )
