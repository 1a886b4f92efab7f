"""What a notebook needs: a prior, posterior samples of a measurement, and what they say."""

import base64
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from step.config.methods import FrameNoise
from step.config.priors import OURS
from step.config.study import check_section, load_config, own_path
from step.config.tasks import Sampler
from step.contracts import ForwardModel, Measurement, NoiseSource, PosteriorSampler
from step.errors import InputError
from step.figures.movies import write_movie
from step.figures.observation import animate_observation
from step.figures.posterior import as_brightness, frames_with_data
from step.figures.rows import grid_of
from step.io.prior_folders import PriorFacts
from step.io.reconstructions import Reconstruction, write_reconstructions
from step.models.prior import LatentDiffusionPrior, load_prior_folder
from step.particles import lineage_size
from step.physics.display import in_jansky, to_unit_range
from step.physics.forward_models import check_measurement
from step.reconstruct import Reconstructor
from step.sampling.daps import Daps
from step.sampling.generation import generate_videos
from step.sampling.noise.sources import build_noise_source
from step.sampling.weighted import Settings as Weighting
from step.sampling.weighted import WeightedDaps
from step.seeds import derive_seed

VIDEO = "video"
"""What the only video of a call is called."""

WEIGHTED = "weighted"
"""What the section of the weighted sampler is called, in the configuration and before its keys among changes."""


def load_prior(
    folder: str | Path,
    network: Literal["image", "video", "joint"] = "joint",
    device: str | torch.device | None = None,
    architecture: str = OURS,
) -> LatentDiffusionPrior:
    """Return the prior in `folder`, as ``snakemake priors`` makes it, with one of its networks.

    ``resources/priors/...`` are the project's own, also where it is installed, unless the working directory has such.
    `device` is a GPU where there is one, unless it is given. `architecture` is the one of its denoiser, a module of
    yours if it is not the paper's: loading a folder imports no code that only the folder names. ``prior.facts`` says
    what the prior is of, ``prior.shape`` the shape of a video (time, channel, y, x), ``prior.rows`` the rows of a
    frame. Raises `InputError` where the folder is no prior, is damaged, lacks the network, or has one of another
    architecture.

    Examples:
        >>> prior = step.load_prior("resources/priors/mri")
        >>> prior.facts.domain, prior.shape == (prior.facts.frames, 2, prior.rows, prior.columns)
        ('mri', True)
    """
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return load_prior_folder(Path(own_path(str(folder))), network, architecture).to(chosen)


def daps(
    source: LatentDiffusionPrior | str | Path | Sequence[str | Path],
    task: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Daps:
    """Return the paper's sampler: as a prior recommends it, or as the `task` of a configuration has it.

    `source` is a prior, or the configuration file or files, overlaid on ``config/config.yaml``. `changes` are values by
    their keys in the configuration, ``{"mcmc.steps": 16, "annealing.levels": 10}``; ``config/README.md`` explains them
    below ``tasks.<task>.sampler``. Raises `InputError` for an unknown key, a value out of range, or no such task.

    Examples:
        >>> prior = step.load_prior("resources/priors/mri")
        >>> step.daps(prior, changes={"annealing.levels": 5}).settings.annealing.levels
        5
        >>> step.daps("config/demo.yaml", "mri8", {"mcmc.steps": 4}).settings.mcmc.steps
        4
    """
    values = _recommended(source) if isinstance(source, LatentDiffusionPrior) else _of_task(source, task, None)
    return Daps(check_section(Sampler, _changed(values, changes or {}), "sampler"))


def weighted_daps(
    source: LatentDiffusionPrior | str | Path | Sequence[str | Path],
    task: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> WeightedDaps:
    """Return DAPS with weights: samples of one measurement annealed together, whose weights are the posterior's.

    `source`, `task` and `changes` are those of `daps`. The weighting's own values are those of ``config/weighted.yaml``
    for the prior's domain, or of ``tasks.<task>.samplers.weighted``; among the changes their keys begin with
    ``weighted``: ``{"weighted.particles": 8}``. `sample` is then to be asked for a multiple of so many samples. Raises
    `InputError` as `daps`, and where there are no such values.

    Examples:
        >>> prior = step.load_prior("resources/priors/mri")
        >>> sampler = step.weighted_daps(prior, changes={"weighted.particles": 2, "annealing.levels": 3})
        >>> physics = step.CartesianMri.equispaced(rows=prior.rows, acceleration=4, acs_lines=4, noise_level=0.5)
        >>> y = physics.measure(step.generate(prior, seed=1), seed=0)
        >>> posterior = step.sample(prior, physics, y, samples=4, sampler=sampler)  # two islands of two
        >>> posterior.weights.shape, posterior.trace["effective_size"].shape[0], posterior.effective_size <= 4
        ((4,), 4, True)
    """
    if isinstance(source, LatentDiffusionPrior):
        values = _recommended(source) | {WEIGHTED: _recommended_weighting(source)}
    else:
        values = _of_task(source, task, WEIGHTED)
    changed = _changed(values, changes or {})
    weighting = check_section(Weighting, changed.pop(WEIGHTED), f"samplers.{WEIGHTED}")
    return WeightedDaps(check_section(Sampler, changed, "sampler"), weighting)


def generate(prior: LatentDiffusionPrior, samples: int = 1, seed: int = 0, frames_at_once: int = 1) -> torch.Tensor:
    """Return unconditional samples of `prior` (sample, time, channel, y, x): what it believes before any data.

    Their values are in units of the prior's videos. They solve the probability-flow ODE (Eq. 4) from noise as
    ``generation`` of the study's configuration says. Sample number n depends on `seed` and on n alone. The autoencoder
    sees `frames_at_once` frames; more are faster and need more memory. Raises `InputError` for fewer than one sample.

    Examples:
        >>> prior = step.load_prior("resources/priors/mri")
        >>> videos = step.generate(prior, samples=2, seed=5)
        >>> videos.shape == (2, *prior.shape)
        True
    """
    _check_number(samples)
    generators = [torch.Generator().manual_seed(derive_seed(seed, "generated", number)) for number in range(samples)]
    return generate_videos(prior, generators, load_config().generation, frames_at_once, prior.device)


def sample(
    prior: LatentDiffusionPrior,
    physics: ForwardModel,
    measurement: Measurement,
    samples: int = 1,
    seed: int = 0,
    sampler: PosteriorSampler | None = None,
    noise: NoiseSource | None = None,
    stream: Sequence[str] = (),
) -> "Posterior":
    """Return `samples` posterior videos given one `measurement`, as ``physics.measure`` returns it (Algorithm 1).

    `sampler` is `daps` as the prior recommends it, unless it is given; `weighted_daps` gives the samples weights. What
    the likelihood assumes of the errors is then the sampler's ``likelihood.noise_level``, which counts the decoder's
    error too, where `physics` has ``with_noise_level``; a sampler without such settings takes `physics` as it is.
    `noise` is independent from frame to frame unless it is given. Sample number n depends on `seed`, on `stream` and on
    n, not on how many there are; with ``stream=(TASK, VIDEO)`` it is, but for rounding, what the command line samples
    of that video of that task.

    Raises `InputError` for a measurement that does not fit, `FloatingPointError` where a sample diverges.

    Examples:
        >>> prior = step.load_prior("resources/priors/mri")
        >>> physics = step.CartesianMri.equispaced(rows=prior.rows, acceleration=4, acs_lines=4, noise_level=0.02)
        >>> y = physics.measure(step.generate(prior, seed=1), seed=0)
        >>> posterior = step.sample(prior, physics, y, samples=3, sampler=step.daps(prior, changes={"mcmc.steps": 1}))
        >>> posterior.samples.shape == (3, *prior.shape)
        True
    """
    _check_number(samples)
    facts = prior.facts
    if facts is None:
        raise InputError("this prior is not from a complete folder, so it does not say what it is of; use load_prior")
    device = prior.device
    chosen: PosteriorSampler = daps(prior) if sampler is None else sampler
    settings = getattr(chosen, "settings", None)
    chunks = (settings if isinstance(settings, Sampler) else daps(prior).settings).on(device.type)
    check_measurement(measurement, physics, facts.shape, "the measurement")
    n_measured = len(next(iter(measurement.values())))
    if n_measured != 1:
        raise InputError(f"the measurement is of {n_measured} videos; give one at a time, a batch of one")
    assumed = physics
    if isinstance(settings, Sampler) and hasattr(physics, "with_noise_level"):
        assumed = physics.with_noise_level(chunks.likelihood.noise_level)
    source = noise or build_noise_source(FrameNoise(source="independent"), None, prior.latent_shape)
    ready = prior.place(chunks.networks)
    found = Reconstructor(ready, assumed, chosen, chunks, device).sample(
        {VIDEO: measurement},
        {VIDEO: source},
        range(samples),
        lambda _, number: derive_seed(seed, *stream, f"sample{number}"),
        "samples",
    )
    videos = found.samples[VIDEO]
    log_weights = found.log_weights[VIDEO]
    fits = [_fit(physics, torch.from_numpy(video)[None], measurement) for video in videos]
    return Posterior(
        samples=videos,
        weights=_normalised(np.zeros(samples) if log_weights is None else log_weights),
        ancestors=found.ancestors[VIDEO],
        misfit=np.array([misfit for misfit, _ in fits]),
        chi_squares={name: np.array([each[name] for _, each in fits]) for name in fits[0][1]},
        facts=facts,
        frames_with_data=frames_with_data({name: array[0].cpu().numpy() for name, array in measurement.items()}),
        seconds=found.seconds,
        trace=found.trace[VIDEO],
    )


@dataclass(frozen=True)
class Posterior:
    """Posterior samples of one measurement, and what they say of it, as `sample` returns them.

    Examples:
        >>> prior = step.load_prior("resources/priors/mri")
        >>> physics = step.CartesianMri.equispaced(rows=prior.rows, acceleration=4, acs_lines=4, noise_level=0.02)
        >>> y = physics.measure(step.generate(prior, seed=1), seed=0)
        >>> posterior = step.sample(prior, physics, y, samples=2)
        >>> posterior.weights, posterior.misfit.shape, posterior.chi_squares["kspace"].shape
        (array([0.5, 0.5]), (2,), (2,))
    """

    samples: np.ndarray
    """The videos (sample, time, channel, y, x), in units of the prior's videos."""
    weights: np.ndarray
    """What each counts for (sample,); their sum is 1."""
    misfit: np.ndarray
    """The data misfit (sample,) as the paper reports it, at the errors that the forward model states."""
    chi_squares: Mapping[str, np.ndarray]
    """Reduced chi-squares (sample,), by kind of data."""
    facts: PriorFacts
    """What the prior is of."""
    frames_with_data: np.ndarray
    """Whether anything was measured of a frame (time,), bool."""
    seconds: float
    """How long sampling took."""
    trace: Mapping[str, np.ndarray] = field(default_factory=dict)
    """How the sampling went, by name: arrays (sample, level)."""
    ancestors: np.ndarray | None = None
    """Which sample's start each goes back to (sample,), int64; None where each goes back to its own."""

    @property
    def effective_size(self) -> float:
        """How many independent samples of one weight say as much; those that go back to one start are one.

        Examples:
            >>> round(posterior.effective_size, 6)
            2.0
        """
        return lineage_size(self.weights, self.ancestors)

    @cached_property
    def mean(self) -> np.ndarray:
        """The mean of the samples (time, channel, y, x), weighted, in units of the prior's videos.

        Examples:
            >>> np.allclose(posterior.mean, (posterior.samples[0] + posterior.samples[1]) / 2, atol=1e-6)
            True
        """
        return np.tensordot(self.weights, self.samples, 1).astype(np.float32)

    @cached_property
    def spread(self) -> np.ndarray:
        """The standard deviation over the samples (time, channel, y, x), 0 for one sample; it is no error bar.

        In units of the prior's videos. What the prior gets wrong all samples have in common.

        Examples:
            >>> np.allclose(posterior.spread, posterior.samples.std(axis=0), atol=1e-6)
            True
        """
        squares = np.square(self.samples - self.mean, dtype=np.float64)
        return np.sqrt(np.tensordot(self.weights, squares, 1)).astype(np.float32)

    def brightness(self, video: np.ndarray) -> np.ndarray:
        """Return `video` (..., channel, y, x) as it is shown (..., y, x), 0 to 1; complex ones over the mean's peak.

        Examples:
            >>> shown = posterior.brightness(posterior.mean)
            >>> shown.shape == (prior.facts.frames, prior.rows, prior.columns), float(shown.max())
            (True, 1.0)
        """
        return to_unit_range(video, self.mean, self.facts.display)

    def show(self) -> "Video":
        """Return a video of mean, spread and the first samples, which a notebook plays; `Video.save` writes it.

        Examples:
            >>> posterior.show().save("posterior.gif").name
            'posterior.gif'
        """
        facts = self.facts
        grid = grid_of(facts.shape, facts.geometry, self.frames_with_data)
        shown = as_brightness(self.mean, self.spread, self.samples, grid, facts.display)
        return Video(animate_observation(shown, facts.display))

    def to_hdf5(self, path: str | Path) -> None:
        """Write all samples with weights, misfits and trace to an HDF5 file, as the workflow does; return nothing.

        The file has ``video/samples`` (sample, time, channel, y, x), in units of the prior's videos, and in
        ``video/trace`` arrays (sample, level): `trace`, and of one level `weight`, `misfit_of_data` and
        ``chi_square_<kind>``.

        Examples:
            >>> import h5py
            >>> posterior.to_hdf5("posterior.h5")
            >>> with h5py.File("posterior.h5") as file:
            ...     print(np.array_equal(file["video/samples"], posterior.samples), file["video/trace/weight"].shape)
            True (2, 1)
        """
        of_samples = {"weight": self.weights, "misfit_of_data": self.misfit}
        of_samples |= {f"chi_square_{name}": values for name, values in self.chi_squares.items()}
        trace = dict(self.trace) | {name: values[:, None] for name, values in of_samples.items()}
        with np.errstate(divide="ignore"):  # of weights that are 0
            log_weights = None if np.ptp(self.weights) == 0 else np.log(self.weights)
        found = Reconstruction(VIDEO, self.samples, trace, log_weights, self.ancestors)
        write_reconstructions(Path(path), [found], {"domain": self.facts.domain})

    def to_nifti(self, folder: str | Path, pixel_mm: float | None = None, frame_s: float | None = None) -> list[Path]:
        """Return the NIfTI files (x, y, 1, time) into which magnitudes of mean, spread and samples are written.

        They are in `folder`, in units of the prior's videos. `pixel_mm` is the side of a pixel, `frame_s` the time
        between frames; None is unknown. Raises `InputError` for a prior of other videos than complex images.

        Examples:
            >>> [file.name for file in posterior.to_nifti("nifti", pixel_mm=1.5, frame_s=0.05)]
            ['mean.nii.gz', 'spread.nii.gz', 'sample000.nii.gz', 'sample001.nii.gz']
        """
        from step.io.nifti import write_magnitudes

        if self.facts.display != "magnitude":
            raise InputError(f"videos of {self.facts.domain} are no complex images; write them with to_fits or to_hdf5")
        return write_magnitudes(Path(folder), self._named, 1.0, "units of the prior", pixel_mm, frame_s)

    def to_fits(
        self,
        folder: str | Path,
        source: str,
        right_ascension_h: float,
        declination_deg: float,
        frequency_hz: float,
        mjd: int,
        start_utc_h: float,
        flux_jy: float = 1.0,
    ) -> list[Path]:
        """Return the folders, in `folder`, into which mean, spread and samples are written as FITS frames (y, x).

        Values are Jy per pixel: each video has the mean flux `flux_jy`, the spread the mean's factor. The header says
        what was seen: the name of the `source`, its right ascension (h) and declination (degrees), the frequency (Hz),
        the modified Julian date, and the time of the first frame (UTC, h). Raises `InputError` for a prior of videos
        without a field of view on the sky.

        Examples:
            >>> prior = step.load_prior("resources/priors/blackhole")
            >>> physics = step.ClosureImaging.of_array(
            ...     "resources/eht2017.csv",
            ...     frames=prior.facts.frames,
            ...     pixels=prior.rows,
            ...     start_utc_h=12.5,
            ...     **prior.facts.geometry,
            ... )
            >>> y = physics.measure(step.generate(prior, seed=1), seed=0)
            >>> posterior = step.sample(prior, physics, y)
            >>> folders = posterior.to_fits("frames", "Sgr A*", 17.76, -29.0, 230e9, 57850, 12.5, flux_jy=2.4)
            >>> [folder.name for folder in folders]
            ['mean', 'spread', 'sample000']
        """
        from step.io.eht_movies import EhtMovieHeader
        from step.io.fits_images import write_fits_frame
        from step.units import RAD_PER_UAS

        geometry = self.facts.geometry
        if not {"field_of_view_uas", "cadence_s"} <= geometry.keys():
            raise InputError(f"videos of {self.facts.domain} are not on the sky; write them with to_nifti or to_hdf5")
        pixel_rad = geometry["field_of_view_uas"] / self.facts.columns * RAD_PER_UAS
        header = EhtMovieHeader(pixel_rad, source, right_ascension_h, declination_deg, frequency_hz, mjd)
        folders = []
        for name, video in self._named.items():
            folders.append(Path(folder) / name)
            for number, frame in enumerate(in_jansky(video, flux_jy, self.mean if name == "spread" else None)):
                time_h = start_utc_h + number * geometry["cadence_s"] / 3600
                write_fits_frame(folders[-1] / f"frame_{number:03d}.fits", header, time_h, frame)
        return folders

    @property
    def _named(self) -> dict[str, np.ndarray]:
        samples = {f"sample{number:03d}": video for number, video in enumerate(self.samples)}
        return {"mean": self.mean, "spread": self.spread, **samples}


class Video:
    """A video in colours, which a notebook plays.

    Examples:
        >>> video = step.Video(np.zeros((5, 32, 32, 3), np.uint8))
        >>> video.frames.shape
        (5, 32, 32, 3)
    """

    def __init__(self, frames: np.ndarray):
        """Take the frames (time, height, width, 3), uint8."""
        self.frames = frames

    def save(self, path: str | Path) -> Path:
        """Return the path of the file, ``.mp4`` or ``.gif``, into which the video is written.

        Examples:
            >>> video.save("video.mp4").stat().st_size > 0
            True
        """
        write_movie(self.frames, Path(path))
        return Path(path)

    def _repr_html_(self) -> str:
        with tempfile.TemporaryDirectory() as folder:
            encoded = base64.b64encode(self.save(Path(folder) / "video.mp4").read_bytes()).decode()
        return f'<video controls loop autoplay muted src="data:video/mp4;base64,{encoded}"></video>'


def _check_number(samples: int) -> None:
    if samples < 1:
        raise InputError(f"samples is {samples}; ask for 1 or more")


def _recommended(prior: LatentDiffusionPrior) -> dict[str, Any]:
    """Return the settings of `daps` that a prior's folder recommends; raises `InputError` where it has none."""
    sampler = {} if prior.facts is None else prior.facts.sampler
    if sampler.get("name") != "daps":
        raise InputError(
            f"the prior recommends {sampler.get('name')!r}, not daps; give a sampler, or take daps(FILE, TASK)"
        )
    return dict(sampler["settings"])


def _of_task(source: str | Path | Sequence[str | Path], task: str | None, own: str | None) -> dict[str, Any]:
    """Return the settings of `daps` that the `task` of a configuration has, and those of another sampler, `own`."""
    config = load_config(*([source] if isinstance(source, str | Path) else source))
    if task not in config.tasks:
        raise InputError(f"task is {task!r}; the study has {', '.join(config.tasks)}")
    chosen = config.tasks[task]
    values: dict[str, Any] = chosen.sampler.model_dump()
    if own is None:
        return values
    if own not in chosen.samplers:
        raise InputError(f"tasks.{task}.samplers has no {own!r}; overlay config/{own}.yaml, which has its values")
    return values | {own: chosen.samplers[own].model_dump()}


def _recommended_weighting(prior: LatentDiffusionPrior) -> dict[str, Any]:
    """Return the settings of the weights for videos like a prior's; raises `InputError` where there are none."""
    domain = None if prior.facts is None else prior.facts.domain
    tasks = load_config(own_path(f"config/{WEIGHTED}.yaml")).tasks.values()
    found = [task.samplers[WEIGHTED] for task in tasks if task.domain == domain and WEIGHTED in task.samplers]
    if not found:
        raise InputError(f"config/{WEIGHTED}.yaml has no task of videos of {domain}; take weighted_daps(FILE, TASK)")
    return found[0].model_dump()


def _changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with `changes`, whose keys have dots; raises `InputError` for a key that is not there."""
    changed = {name: dict(of) if isinstance(of, Mapping) else of for name, of in values.items()}
    for key, value in changes.items():
        section: Any = changed
        *outer, last = key.split(".")
        for name in outer:
            section = section.get(name) if isinstance(section, dict) else None
        if not isinstance(section, dict) or last not in section:
            raise InputError(
                f"the sampler has no setting {key!r}; config/README.md lists them below tasks.<task>.sampler"
            )
        section[last] = value
    return changed


def _fit(physics: ForwardModel, video: torch.Tensor, measurement: Measurement) -> tuple[float, dict[str, float]]:
    at_home = {name: array.cpu() for name, array in measurement.items()}
    found = physics.chi_squares(video, at_home)
    return physics.misfit(video, at_home).item(), {name: value.item() for name, value in found.items()}


def _normalised(log_weights: np.ndarray) -> np.ndarray:
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()
