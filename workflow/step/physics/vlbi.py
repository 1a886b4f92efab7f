"""Very long baseline interferometry of a video: closure quantities and a light curve (Eqs. 7 to 13)."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from step.config.sections import Positive
from step.config.study import check_section, load_config
from step.config.tasks import Vlbi
from step.contracts import Measurement
from step.errors import InputError
from step.physics.array import by_sensitivity, read_array
from step.physics.closures import (
    amplitude_powers,
    chord_covariance,
    closure_phasor,
    covariance,
    log_closure_amplitude,
    phase_powers,
    to_measurement,
    whitening,
)
from step.physics.measuring import batch_of, generator_of
from step.physics.scattering import ensemble_kernel
from step.physics.simulate_observation import simulate_observation
from step.physics.station_gains import FREE_SCALE, amplitude_covariance, log_amplitude, with_gains
from step.physics.visibilities import Waves, dirty_image, transform, waves_at
from step.units import RAD_PER_UAS

CLOSURES = ("closure_phase", "log_closure_amplitude")

KINDS = (*CLOSURES, "flux")
"""What the likelihood compares with data."""


class ClosureSettings(Vlbi):
    """The task's measurement and its domain's geometry."""

    field_of_view_uas: Positive
    cadence_s: Positive


Settings = ClosureSettings


class ClosureImaging:
    """Closure phases, log closure amplitudes and flux of each frame (Eqs. 7 to 13).

    Videos are (batch, time, 1, y, x), where -1 is dark and 1 the brightest. A measurement holds the arrays of
    `step.physics.closures.to_measurement`, and `flux` and `flux_sigma` (batch, time): the sum over a frame's pixels
    of their brightness ``(x + 1) / 2``. Where a sigma is 0 there is no data.

    Examples:
        >>> physics = step.ClosureImaging.of_array(
        ...     "resources/eht2017.csv", frames=3, pixels=16, field_of_view_uas=128, cadence_s=408, start_utc_h=12.5
        ... )
        >>> video = torch.full((1, 3, 1, 16, 16), -1.0)  # dark
        >>> video[..., 6:10, 5:9] = 1  # with a bright spot
        >>> y = physics.measure(video, seed=0)
        >>> y["closure_phase"].shape[:2], y["flux"].shape
        (torch.Size([1, 3]), torch.Size([1, 3]))
    """

    def __init__(self, settings: ClosureSettings, n_frames: int, n_pixels: int, noise_level: float):
        """Take frames of `n_pixels` along a side; `noise_level` multiplies all errors in the likelihood."""
        self.settings = settings
        self.n_frames = n_frames
        self.n_pixels = n_pixels
        self.noise_level = noise_level
        self.pixel_rad = settings.field_of_view_uas / n_pixels * RAD_PER_UAS

    @classmethod
    def of_array(
        cls,
        array: Path | str,
        *,
        frames: int,
        pixels: int,
        field_of_view_uas: float,
        cadence_s: float,
        start_utc_h: float,
        changes: Mapping[str, object] | None = None,
    ) -> Self:
        """Return the model of the stations of the table `array` (.csv), at the noise level that the data state.

        It observes `frames` frames of `pixels` x `pixels`, `field_of_view_uas` wide (microarcseconds), one every
        `cadence_s` seconds from `start_utc_h` (UTC, h) on. Source, date, frequency and errors are those of the paper's
        study (config/config.yaml), but for `changes`: values by their names in `tasks.TASK.measurement`. Raises
        `InputError` for a name or a value that the measurement does not take.

        Examples:
            >>> physics = step.ClosureImaging.of_array(
            ...     "resources/eht2017.csv",
            ...     frames=16,
            ...     pixels=32,
            ...     field_of_view_uas=128,
            ...     cadence_s=408,
            ...     start_utc_h=12.5,
            ...     changes={"closure_covariance": "full"},
            ... )
            >>> physics.n_frames, physics.n_pixels, physics.settings.closure_covariance
            (16, 32, 'full')
        """
        values = _papers_measurement().model_dump()
        values |= {"array": array, "start_utc_h": start_utc_h}
        values |= {"field_of_view_uas": field_of_view_uas, "cadence_s": cadence_s, **(changes or {})}
        return cls(check_section(ClosureSettings, values, f"observation with {array}"), frames, pixels, noise_level=1.0)

    @property
    def layout(self) -> Mapping[str, tuple[int | None, ...]]:
        """The names of a measurement's arrays and their axes after (batch, time); None is any length.

        There may be any number of visibilities, triangles and quadrangles in a frame.

        Examples:
            >>> physics.layout["uv"], physics.layout["flux"]
            ((None, 2), ())
        """
        loops = {"triangle": (None, None), "quadrangle": (None, None), "stations": (None, 2), "uv": (None, 2)}
        loops["coherence"] = (None, 2)
        of_each = ["visibility", "sigma", "time_h", "kernel", "log_bias", "log_variance"]
        of_each += [f"{name}{end}" for name in CLOSURES for end in ("", "_sigma", "_minimal")]
        return {**loops, **dict.fromkeys(of_each, (None,)), "flux": (), "flux_sigma": ()}

    def with_noise_level(self, noise_level: float) -> Self:
        """Return the same model, but that `noise_level` multiplies all errors in the likelihood.

        Examples:
            >>> physics.with_noise_level(2.0).noise_level
            2.0
        """
        other = copy.copy(self)
        other.noise_level = noise_level
        return other

    def measure(
        self, video: torch.Tensor | np.ndarray, generator: torch.Generator | None = None, *, seed: int | None = None
    ) -> Measurement:
        """Return a simulated observation of `video` (batch, time, 1, y, x), or of one without its batch.

        The video's mean flux is taken to be the settings' `source_flux_jy`. Errors are those of `generator`, or of a
        new one with `seed`. Raises `InputError` for what is no video of the model's frames, for one that is dark
        everywhere, and unless one of generator and seed is given.

        Examples:
            >>> again = physics.measure(video, seed=0)
            >>> torch.equal(again["closure_phase"], y["closure_phase"])
            True
        """
        video = batch_of(video, (self.n_frames, 1, self.n_pixels, self.n_pixels))
        generator = generator_of(generator, seed)
        items = [self._observe(one, generator) for one in brightness(video)]
        return {name: torch.stack([torch.from_numpy(item[name]) for item in items]) for name in items[0]}

    def negative_log_likelihood(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return half of ``N_cp chi2_cp + N_camp chi2_camp + w T chi2_flux`` over noise_level^2, shape (batch,).

        w is the settings' `flux_weight` (0.26 in the paper). With `closure_covariance` ``diagonal`` the terms are those
        of Eq. 12; the half makes it, at noise level 1, the negative log-likelihood of independent Gaussian errors (of
        von Mises errors, for the phases). With ``full`` the closures' are ``u' C^-1 u``, C the covariance of those that
        share visibilities, u the amplitudes' differences, or ``exp(i difference) - 1`` of the phases, which has no jump
        at half a turn; with C's diagonal alone these are Eq. 12's. With `station_gains` and their likelihood
        ``amplitudes`` the term of log amplitudes is that of `step.physics.station_gains`, in place of that of closures.

        Examples:
            >>> physics.negative_log_likelihood(video, y).shape
            torch.Size([1])
        """
        return self.residuals(video, measurement).square().sum(1) / 2

    def residuals(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return closures and flux minus data in units of their errors (batch, datum); 0 where there is no data.

        A closure phase is two numbers, the real and the imaginary part of ``exp(i difference) - 1``, whose squares
        together are Eq. 12's ``2 (1 - cos)``. With the full covariance residuals are whitened: each is of several
        closures, and independent of the others.

        Examples:
            >>> residuals = physics.residuals(video, y)
            >>> torch.allclose(residuals.square().sum(1) / 2, physics.negative_log_likelihood(video, y))
            True
        """
        prepared = self._prepared(video, measurement)
        differences = self._differences(video, prepared)
        if self._uses_amplitudes:
            del differences["log_closure_amplitude"]
        whole = {kind: self._whitened(difference, kind, prepared) for kind, difference in differences.items()}
        whole["flux"] = self.settings.flux_weight**0.5 * whole["flux"]
        return torch.cat([_real(part).flatten(1) for part in whole.values()], dim=1) / self.noise_level

    def precompute(self, measurement: Measurement, dtype: torch.dtype) -> Measurement:
        """Return `measurement` with what the likelihood of any video of `dtype` needs of it, computed once.

        Added are, per frame, the transform's `waves_x` and `waves_y`, the phasors `closure_turn` of the negative
        closure phases, and of every kind of data the `_weight`, 1 / sigma^2, or 0 where there is none and for closures
        beyond the minimal sets; with the full covariance of closures the `_whitening` too. Where amplitudes are data
        there are `log_amplitude`, the `_share` of each in the frame's mean, and their `_whitening`.

        Examples:
            >>> prepared = physics.precompute(y, torch.float32)
            >>> torch.equal(physics.misfit(video, prepared), physics.misfit(video, y))
            True
        """
        waves = waves_at(measurement["uv"], (self.n_pixels, self.n_pixels), self.pixel_rad, dtype)
        data = {kind: measurement[kind].to(dtype) for kind in (*KINDS, "kernel")}
        prepared = {**measurement, **data, "waves_x": waves.along_x, "waves_y": waves.along_y}
        prepared["closure_turn"] = torch.polar(torch.ones_like(data["closure_phase"]), -data["closure_phase"])
        weights = {kind: _weight(measurement[f"{kind}_sigma"]) for kind in KINDS}
        weights |= {kind: weights[kind] * measurement[f"{kind}_minimal"] for kind in CLOSURES}
        prepared |= {f"{kind}_weight": weight.to(dtype) for kind, weight in weights.items()}
        if self.settings.closure_covariance == "full":
            whitenings = self._whitenings(measurement)
            prepared |= {f"{kind}_whitening": whitenings[kind].to(dtype) for kind in CLOSURES}
        if self._uses_amplitudes:
            amplitude = log_amplitude(measurement["visibility"]) - measurement["log_bias"]
            here = _has_amplitude(measurement)
            prepared["log_amplitude"] = amplitude.to(dtype)
            prepared["log_amplitude_share"] = (here / here.sum(-1, keepdim=True).clamp_min(1)).to(dtype)
            prepared["log_amplitude_whitening"] = self._whitening_of_amplitudes(measurement).to(dtype)
        return prepared

    def chi_squares(self, video: torch.Tensor, measurement: Measurement) -> Mapping[str, torch.Tensor]:
        """Return reduced chi-squares, shape (batch,); nan where there are no data.

        `closure_phase`, `log_closure_amplitude` and `flux` are the paper's (Eq. 12), of eht-imaging's minimal sets.
        `closure_phase_full` and `log_closure_amplitude_full` are ``r' C^-1 r / N`` of all N independent closures, with
        the covariance of those that share visibilities: the same for any set, for phases as long as none differs by
        so much that it is wrapped, which is done at half a turn. With `snr_window_s` phases differ by chords. Where
        amplitudes are data, `log_amplitude` is theirs with marginalised gains, over their number less one a frame, for
        the scale that is free.

        Examples:
            >>> sorted(physics.chi_squares(video, y))  # doctest: +NORMALIZE_WHITESPACE
            ['closure_phase', 'closure_phase_full', 'flux', 'log_closure_amplitude', 'log_closure_amplitude_full']
        """
        prepared = self._prepared(video, measurement)
        differences = self._differences(video, prepared)
        found = self._papers_chi_squares(differences, prepared)
        for kind, of_kind in self._whitenings(measurement).items():
            difference = differences[kind]
            if difference.is_complex() and self.settings.snr_window_s is None:
                difference = difference.angle()
            parts = _real(difference - 1) if difference.is_complex() else difference[..., None]
            white = of_kind @ parts.to(of_kind.dtype)
            found[f"{kind}_full"] = white.square().flatten(1).sum(1) / _count(measurement[f"{kind}_sigma"])
        if self._uses_amplitudes:
            white = self._whitening_of_amplitudes(measurement) @ differences["log_amplitude"].double()[..., None]
            here = _has_amplitude(measurement)
            found["log_amplitude"] = white.square().flatten(1).sum(1) / (_count(here) - here.any(-1).sum(1))
        return found

    def misfit(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the unified statistic (Eq. 13): ``max(chi2, 1 / chi2)``, mean of both kinds of closures, (batch,).

        Examples:
            >>> 1 < physics.misfit(video, y).item() < 2
            True
        """
        prepared = self._prepared(video, measurement)
        found = self._papers_chi_squares(self._differences(video, prepared), prepared)
        closures = torch.stack([found[kind] for kind in CLOSURES])
        return torch.maximum(closures, 1 / closures).nanmean(dim=0)

    def backprojection(self, measurement: Measurement) -> torch.Tensor:
        """Return the dirty video (batch, time, 1, y, x) of the visibilities as they are, its maximum scaled to 1.

        Station errors are in it. Baselines weigh alike, frames without data are dark, and so is what is negative.

        Examples:
            >>> dirty = physics.backprojection(y)
            >>> dirty.shape, float(dirty.max())
            (torch.Size([1, 3, 1, 16, 16]), 1.0)
        """
        weight = (measurement["sigma"] > 0).to(torch.float32)
        dirty = self.dirty_video(measurement["visibility"].to(torch.complex64), weight, measurement["uv"])
        brightest = dirty.amax(dim=(1, 2, 3, 4), keepdim=True)
        return 2 * (dirty / torch.where(brightest > 0, brightest, torch.ones_like(brightest))).clamp_min(0) - 1

    def dirty_video(self, visibilities: torch.Tensor, weight: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
        """Return dirty images (batch, time, 1, y, x) in Jy per beam.

        `visibilities` are complex (batch, time, baseline), in Jy, `weight` what each counts for, and `uv` their
        baselines (batch, time, baseline, 2) in wavelengths.

        Examples:
            >>> weight = (y["sigma"] > 0).float()
            >>> physics.dirty_video(y["visibility"].to(torch.complex64), weight, y["uv"]).shape
            torch.Size([1, 3, 1, 16, 16])
        """
        return dirty_image(visibilities, weight, uv, self.n_pixels, self.pixel_rad)[:, :, None]

    def ideal_visibilities(self, video: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
        """Return the visibilities (batch, time, baseline) of `video` without errors, in units of its brightness.

        `uv` are the baselines (batch, time, baseline, 2) in wavelengths (Eq. 7).

        Examples:
            >>> physics.ideal_visibilities(video, torch.zeros(1, 3, 1, 2)).real.flatten()  # the spot has 16 pixels
            tensor([16., 16., 16.])
        """
        image = brightness(video)
        return transform(image, waves_at(uv, (image.shape[-2], image.shape[-1]), self.pixel_rad, image.dtype))

    def _visibilities(self, image: torch.Tensor, prepared: Measurement) -> torch.Tensor:
        return prepared["kernel"] * transform(image, Waves(prepared["waves_x"], prepared["waves_y"]))

    def _prepared(self, video: torch.Tensor, measurement: Measurement) -> Measurement:
        return measurement if "waves_x" in measurement else self.precompute(measurement, video.dtype)

    def _papers_chi_squares(self, differences: Mapping[str, torch.Tensor], prepared: Measurement):
        """Return chi2_cp, chi2_camp and chi2_flux (Eq. 12) by kind of data, shape (batch,)."""
        # For phases it is 2 (1 - cos) of the difference; the phasors' product has no jump at half a turn.
        squares = {
            kind: 2 * (1 - difference.real) if difference.is_complex() else difference.square()
            for kind, difference in differences.items()
        }
        weights = {kind: prepared[f"{kind}_weight"] for kind in KINDS}
        return {kind: (weights[kind] * squares[kind]).flatten(1).sum(1) / _count(weights[kind]) for kind in KINDS}

    def _whitened(self, difference: torch.Tensor, kind: str, prepared: Measurement) -> torch.Tensor:
        """Return a kind of data's differences, of phases as complex chords, in units of their errors."""
        if difference.is_complex():
            difference = difference - 1
        if f"{kind}_whitening" not in prepared:
            return prepared[f"{kind}_weight"].sqrt() * difference
        matrix = prepared[f"{kind}_whitening"]
        parts = torch.view_as_real(difference) if difference.is_complex() else difference[..., None]
        return matrix @ parts

    def _whitenings(self, measurement: Measurement) -> dict[str, torch.Tensor]:
        """Return the matrices that make closures independent and of unit variance, float64, by their kind."""
        variance = measurement["log_variance"].double()
        n_places = variance.shape[-1]
        of_phases = phase_powers(measurement["triangle"], n_places)
        if self.settings.snr_window_s is None:
            phases = covariance(of_phases, variance)
        else:
            phases = chord_covariance(of_phases, measurement["coherence"].double())
        amplitudes = covariance(amplitude_powers(measurement["quadrangle"], n_places), variance)
        present = {kind: measurement[f"{kind}_sigma"] > 0 for kind in CLOSURES}
        return {
            kind: whitening(of_all, present[kind]) for kind, of_all in zip(CLOSURES, (phases, amplitudes), strict=True)
        }

    @property
    def _uses_amplitudes(self) -> bool:
        gains = self.settings.station_gains
        return gains is not None and gains.likelihood == "amplitudes"

    def _whitening_of_amplitudes(self, measurement: Measurement) -> torch.Tensor:
        """Return the matrices that make log amplitudes independent and of unit variance, gains and all, float64."""
        gains = self.settings.station_gains
        stations, time_h = measurement["stations"], measurement["time_h"]
        gain_sigma = 0.0 if gains is None else gains.assumed
        variance = measurement["log_variance"].double()
        of_all = amplitude_covariance(variance, stations, time_h, gain_sigma, FREE_SCALE)
        return whitening(of_all, _has_amplitude(measurement))

    def _differences(self, video: torch.Tensor, prepared: Measurement) -> dict[str, torch.Tensor]:
        """Return what `video` would measure minus the data, (batch, time, ...); of the closure phases as a phasor."""
        image = brightness(video)
        visibilities = self._visibilities(image, prepared)
        differences = {
            "closure_phase": closure_phasor(visibilities, prepared["triangle"]) * prepared["closure_turn"],
            "log_closure_amplitude": log_closure_amplitude(visibilities, prepared["quadrangle"])
            - prepared["log_closure_amplitude"],
            "flux": image.sum(dim=(-2, -1)) - prepared["flux"],
        }
        if self._uses_amplitudes:
            difference = log_amplitude(visibilities) - prepared["log_amplitude"]
            mean = (prepared["log_amplitude_share"] * difference).sum(-1, keepdim=True)
            differences["log_amplitude"] = difference - mean  # the scale is free, and rounding is of what is left
        return differences

    def _observe(self, image: torch.Tensor, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Return the measurement of one video's brightness `image` (time, y, x)."""
        flux = image.sum(dim=(-2, -1), dtype=torch.float64)
        if not flux.mean() > 0:
            raise InputError("the video is dark everywhere, so it has no visibilities; leave it out")
        jy = self.settings.source_flux_jy / flux.mean()

        def ideal(frame: np.ndarray, uv: np.ndarray) -> np.ndarray:
            """Return the visibilities in Jy, frame by frame."""
            values = np.empty(len(frame), complex)
            for number in np.unique(frame):
                rows = torch.from_numpy(uv[frame == number])
                waves = waves_at(rows[None], (image.shape[-2], image.shape[-1]), self.pixel_rad, torch.float64)
                values[frame == number] = transform(jy * image[None, number].double(), waves)[0]
            return values * self._kernel(uv)

        stations = read_array(self.settings.array)
        seed = int(torch.randint(2**62, (), generator=generator))
        table = simulate_observation(ideal, stations, self.settings, self.n_frames, self.settings.cadence_s, seed)
        table = replace(table, kernel=self._kernel(table.uv))
        sigma = torch.full_like(flux, self.settings.flux_sigma)
        noise = torch.randn(flux.shape, generator=generator, dtype=torch.float64)
        if self.settings.station_gains is not None:
            table = with_gains(table, self.settings.station_gains.simulated, generator)
        light_curve = {"flux": (flux + sigma * noise).numpy(), "flux_sigma": sigma.numpy()}
        order = by_sensitivity(stations)
        return to_measurement(table, self.n_frames, order, self.settings.snr_window_s) | light_curve

    def _kernel(self, uv: np.ndarray) -> np.ndarray:
        """Return what the task's screen multiplies the visibilities at `uv` (row, 2) by."""
        if self.settings.scattering is None:
            return np.ones(len(uv))
        return ensemble_kernel(self.settings.scattering, uv, self.settings.frequency_hz)


def brightness(video: torch.Tensor) -> torch.Tensor:
    """Return ``(x + 1) / 2`` (batch, time, y, x) of `video` (batch, time, 1, y, x): 0 is dark, 1 the brightest."""
    return (video[:, :, 0] + 1) / 2


def build(settings: ClosureSettings, shape: tuple[int, int, int, int], noise_level: float | None) -> ClosureImaging:
    """Return the forward model for videos of `shape` (time, channel, y, x); `noise_level` is 1 if not given."""
    n_frames, channels, n_rows, n_columns = shape
    if channels != 1 or n_rows != n_columns:
        raise InputError(f"the vlbi measurement needs square frames of 1 channel (brightness), the videos are {shape}")
    return ClosureImaging(settings, n_frames, n_rows, 1.0 if noise_level is None else noise_level)


def _papers_measurement() -> Vlbi:
    """Return the measurement of the paper's study that is an interferometer's."""
    found = [task.measurement for task in load_config().tasks.values() if isinstance(task.measurement, Vlbi)]
    if not found:
        raise InputError("the base configuration has no task with measurement.model vlbi; build from a configuration")
    return found[0]


def _real(values: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(values) if values.is_complex() else values


def _count(errors: torch.Tensor) -> torch.Tensor:
    """Return the number of data of each video, which have an error or a weight above 0."""
    return (errors > 0).flatten(1).sum(1)


def _has_amplitude(measurement: Measurement) -> torch.Tensor:
    """Return whether there is an amplitude (batch, time, baseline), of which a logarithm can be taken."""
    return (measurement["sigma"] > 0) & (measurement["visibility"] != 0)


def _weight(sigma: torch.Tensor) -> torch.Tensor:
    """Return ``1 / sigma^2``, and 0 where sigma is 0."""
    present = sigma > 0
    return present / torch.where(present, sigma, torch.ones_like(sigma)).square()
