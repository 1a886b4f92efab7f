"""Very long baseline interferometry of a video: closure quantities and a light curve (Eqs. 7 to 13)."""

from collections.abc import Mapping

import numpy as np
import torch

from step.config.sections import Positive
from step.config.tasks import Vlbi
from step.contracts import Measurement
from step.errors import InputError
from step.physics.array import read_array
from step.physics.closures import closure_phasor, log_closure_amplitude, to_measurement
from step.physics.observing import observe
from step.physics.visibilities import Waves, dirty_image, transform, waves_at
from step.units import RAD_PER_UAS

KINDS = ("closure_phase", "log_closure_amplitude", "flux")
"""What the likelihood compares with data."""


class Settings(Vlbi):
    """The task's measurement and its domain's geometry."""

    field_of_view_uas: Positive
    cadence_s: Positive


class ClosureImaging:
    """Closure phases, log closure amplitudes and flux of each frame.

    Videos are (batch, time, 1, y, x), where -1 is dark and 1 the brightest. A measurement holds the arrays of
    `step.physics.closures.to_measurement`, and `flux` and `flux_sigma` (batch, time): the sum over a frame's pixels
    of their brightness ``(x + 1) / 2``. Where a sigma is 0 there is no data.
    """

    def __init__(self, settings: Settings, n_frames: int, n_pixels: int, noise_level: float):
        """Take frames of `n_pixels` along a side; `noise_level` multiplies all errors in the likelihood."""
        self.settings = settings
        self.n_frames = n_frames
        self.n_pixels = n_pixels
        self.noise_level = noise_level
        self.pixel_rad = settings.field_of_view_uas / n_pixels * RAD_PER_UAS

    @property
    def layout(self) -> Mapping[str, tuple[int | None, ...]]:
        """Any number of visibilities, triangles and quadrangles in a frame."""
        loops = {"triangle": (None, 3), "quadrangle": (None, 4), "stations": (None, 2), "uv": (None, 2)}
        of_each = ["visibility", "sigma", "time_h"]
        of_each += [f"{name}{end}" for name in ("closure_phase", "log_closure_amplitude") for end in ("", "_sigma")]
        return {**loops, **dict.fromkeys(of_each, (None,)), "flux": (), "flux_sigma": ()}

    def measure(self, video: torch.Tensor, generator: torch.Generator) -> Measurement:
        """Return a simulated observation of `video` (batch, time, 1, y, x), whose mean flux is `source_flux_jy`."""
        items = [self._observe(one, generator) for one in brightness(video)]
        return {name: torch.stack([torch.from_numpy(item[name]) for item in items]) for name in items[0]}

    def negative_log_likelihood(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return half of ``N_cp chi2_cp + N_camp chi2_camp + w T chi2_flux`` over noise_level^2, shape (batch,).

        w is the settings' `flux_weight` (0.26 in the paper). The terms are those of Eq. 12; the half makes it, at noise
        level 1, the negative log-likelihood of independent Gaussian errors (of von Mises errors, for the phases).
        """
        phase, amplitude, flux = self._chi_square_sums(video, self._prepared(video, measurement)).values()
        return (phase + amplitude + self.settings.flux_weight * flux) / (2 * self.noise_level**2)

    def residuals(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return closures and flux minus data in units of their errors (batch, datum); 0 where there is no data.

        For a closure phase it is the chord ``2 sin(difference / 2)``, whose square is Eq. 12's.
        """
        prepared = self._prepared(video, measurement)
        differences = self._differences(video, prepared)
        differences["closure_phase"] = 2 * (differences["closure_phase"].angle() / 2).sin()
        factors = {"closure_phase": 1.0, "log_closure_amplitude": 1.0, "flux": self.settings.flux_weight**0.5}
        parts = [
            (factors[kind] * prepared[f"{kind}_weight"].sqrt() * difference).flatten(1)
            for kind, difference in differences.items()
        ]
        return torch.cat(parts, dim=1) / self.noise_level

    def prepare(self, measurement: Measurement, dtype: torch.dtype) -> Measurement:
        """Return `measurement` with what the likelihood of any video of `dtype` needs of it, computed once.

        Added are, per frame, the transform's `waves_x` and `waves_y`, the phasors `closure_turn` of the negative
        closure phases, and of every kind of data the `_weight`, 1 / sigma^2 or 0 where there is none.
        """
        waves = waves_at(measurement["uv"], (self.n_pixels, self.n_pixels), self.pixel_rad, dtype)
        data = {kind: measurement[kind].to(dtype) for kind in KINDS}
        prepared = {**measurement, **data, "waves_x": waves.along_x, "waves_y": waves.along_y}
        prepared["closure_turn"] = torch.polar(torch.ones_like(data["closure_phase"]), -data["closure_phase"])
        return prepared | {f"{kind}_weight": _weight(measurement[f"{kind}_sigma"]).to(dtype) for kind in KINDS}

    def chi_squares(self, video: torch.Tensor, measurement: Measurement) -> Mapping[str, torch.Tensor]:
        """Return ``chi2_cp``, ``chi2_camp`` and ``chi2_flux`` (Eq. 12), shape (batch,); nan where there are no data."""
        prepared = self._prepared(video, measurement)
        sums = self._chi_square_sums(video, prepared).items()
        return {kind: sum_ / (prepared[f"{kind}_weight"] > 0).flatten(1).sum(1) for kind, sum_ in sums}

    def misfit(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the unified statistic (Eq. 13): ``max(chi2, 1 / chi2)``, mean of both kinds of closures, (batch,)."""
        found = self.chi_squares(video, measurement)
        closures = torch.stack([found["closure_phase"], found["log_closure_amplitude"]])
        return torch.maximum(closures, 1 / closures).nanmean(dim=0)

    def naive_inverse(self, measurement: Measurement) -> torch.Tensor:
        """Return the dirty video (batch, time, 1, y, x) of the visibilities as they are, its maximum scaled to 1.

        Station errors are in it. Baselines weigh alike, frames without data are dark, and so is what is negative.
        """
        weight = (measurement["sigma"] > 0).to(torch.float32)
        dirty = self.dirty_video(measurement["visibility"].to(torch.complex64), weight, measurement["uv"])
        brightest = dirty.amax(dim=(1, 2, 3, 4), keepdim=True)
        return 2 * (dirty / torch.where(brightest > 0, brightest, torch.ones_like(brightest))).clamp_min(0) - 1

    def dirty_video(self, visibilities: torch.Tensor, weight: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
        """Return dirty images (batch, time, 1, y, x) in Jy per beam; axes as in `visibilities.dirty_image`."""
        return dirty_image(visibilities, weight, uv, self.n_pixels, self.pixel_rad)[:, :, None]

    def ideal_visibilities(self, video: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
        """Return the visibilities (batch, time, baseline) of `video` without errors, in units of its brightness."""
        image = brightness(video)
        return transform(image, waves_at(uv, tuple(image.shape[-2:]), self.pixel_rad, image.dtype))

    def _visibilities(self, image: torch.Tensor, prepared: Measurement) -> torch.Tensor:
        return transform(image, Waves(prepared["waves_x"], prepared["waves_y"]))

    def _prepared(self, video: torch.Tensor, measurement: Measurement) -> Measurement:
        return measurement if "waves_x" in measurement else self.prepare(measurement, video.dtype)

    def _chi_square_sums(self, video: torch.Tensor, prepared: Measurement) -> dict[str, torch.Tensor]:
        """Return, for each kind of data, its number of data times chi-square, shape (batch,)."""
        differences = self._differences(video, prepared)
        # 1 - cos of the difference; the phasors' product has no jump at half a turn.
        squares = {"closure_phase": 2 * (1 - differences.pop("closure_phase").real)}
        squares |= {kind: difference**2 for kind, difference in differences.items()}
        return {kind: (prepared[f"{kind}_weight"] * square).flatten(1).sum(1) for kind, square in squares.items()}

    def _differences(self, video: torch.Tensor, prepared: Measurement) -> dict[str, torch.Tensor]:
        """Return what `video` would measure minus the data, (batch, time, ...); of the closure phases as a phasor."""
        image = brightness(video)
        visibilities = self._visibilities(image, prepared)
        return {
            "closure_phase": closure_phasor(visibilities, prepared["triangle"]) * prepared["closure_turn"],
            "log_closure_amplitude": log_closure_amplitude(visibilities, prepared["quadrangle"])
            - prepared["log_closure_amplitude"],
            "flux": image.sum(dim=(-2, -1)) - prepared["flux"],
        }

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
                waves = waves_at(rows[None], tuple(image.shape[-2:]), self.pixel_rad, torch.float64)
                values[frame == number] = transform(jy * image[None, number].double(), waves)[0]
            return values

        stations = read_array(self.settings.array)
        seed = int(torch.randint(2**62, (), generator=generator))
        table = observe(ideal, stations, self.settings, self.n_frames, self.settings.cadence_s, seed)
        sigma = torch.full_like(flux, self.settings.flux_sigma)
        noise = torch.randn(flux.shape, generator=generator, dtype=torch.float64)
        light_curve = {"flux": (flux + sigma * noise).numpy(), "flux_sigma": sigma.numpy()}
        return to_measurement(table, self.n_frames) | light_curve


def brightness(video: torch.Tensor) -> torch.Tensor:
    """Return ``(x + 1) / 2`` (batch, time, y, x) of `video` (batch, time, 1, y, x): 0 is dark, 1 the brightest."""
    return (video[:, :, 0] + 1) / 2


def build(settings: Settings, shape: tuple[int, int, int, int], noise_level: float | None) -> ClosureImaging:
    """Return the forward model for videos of `shape` (time, channel, y, x); `noise_level` is 1 if not given."""
    n_frames, channels, n_rows, n_columns = shape
    if channels != 1 or n_rows != n_columns:
        raise InputError(f"the vlbi measurement needs square frames of 1 channel (brightness), the videos are {shape}")
    return ClosureImaging(settings, n_frames, n_rows, 1.0 if noise_level is None else noise_level)


def _weight(sigma: torch.Tensor) -> torch.Tensor:
    """Return ``1 / sigma^2``, and 0 where sigma is 0."""
    present = sigma > 0
    return present / torch.where(present, sigma, torch.ones_like(sigma)).square()
