"""How much work each job of a study has: operations of its networks, or pixels of the videos that go through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

from step.config.files import StudyFiles, sample_numbers
from step.config.plan import sampling_shards
from step.config.priors import VideoTraining
from step.config.study import Config, varied
from step.estimate.graph import Job
from step.estimate.operations import decoding, denoising, encoding
from step.sampling.levels import evaluations_per_sample

GFLOP, MEGAPIXEL = "Gflop", "megapixel"

BACKWARD = 2
"""A gradient with respect to the latent alone takes as many operations as two passes."""
TRAINED = 3
"""One with respect to the weights, as many as three."""

OF_NETWORKS = ("train", "sample", "generate", "tune")
"""The stages whose time is that of their networks."""


@dataclass(frozen=True)
class Work:
    """The work of one job, and the name under which the time of others like it was measured."""

    of: str  # a domain, a reconstruction, or domain and network; '' where all jobs of the stage are alike
    amount: float
    unit: str


@dataclass(frozen=True)
class StudyWork:
    """The work of the jobs of the study `config`.

    Samples of any sampler are counted as DAPS', networks of any architecture by the widths under `denoiser`. Where the
    videos are not split yet, all are trained on that the configuration allows: an upper bound.
    """

    config: Config
    training_data: Mapping[str, tuple[int, int]]  # videos and images that are trained on, by domain
    _points: dict[tuple[str, int], Config] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def files(self) -> StudyFiles:
        """Its files."""
        return StudyFiles(self.config)

    @cached_property
    def simulated(self) -> dict[str, dict[str, list[str]]]:
        """The subjects of each job that simulates raw files, by domain and name of the job."""
        return self.files.simulated_shards()

    def of(self, job: Job) -> Work:
        """Return the work of `job`."""
        return self._of_networks(job) if job.stage in OF_NETWORKS else self._of_videos(job)

    def _of_networks(self, job: Job) -> Work:
        config, wildcards = self.config, job.wildcards
        match job.stage:
            case "train":
                if "ablation" in wildcards:
                    ablation = config.ablations[wildcards["ablation"]]
                    domain = config.tasks[ablation.task].domain
                    prior: str = config.methods[ablation.method].prior
                    config = self._point(job)
                else:
                    domain, prior = wildcards["domain"], wildcards.get("prior", "autoencoder")
                return Work(f"{domain} {prior}", self._training(config, domain, prior), GFLOP)
            case "generate":
                domain = wildcards["domain"]
                chosen, frames = config.generation, config.video_format(domain).frames
                one = (chosen.steps + 1) * self._denoising(config, domain, wildcards["prior"])
                return Work(domain, chosen.samples * (one + frames * self._decoding(config, domain)), GFLOP)
            case "tune":
                task, method = wildcards["task"], config.tuning.method
                samples = config.tuning.trials * len(self.files.validation_videos(task))
                return Work(config.tasks[task].domain, self._sampling(config, task, method, samples), GFLOP)
        task, method, n_samples = self.samples_of(job)
        return Work(config.tasks[task].domain, self._sampling(self._point(job), task, method, n_samples), GFLOP)

    def samples_of(self, job: Job) -> tuple[str, str, int]:
        """Return task, method and number of the samples that a job takes, over all its videos."""
        config, wildcards = self.config, job.wildcards
        for name, sections in (("posterior", config.posteriors), ("observation", config.observations)):
            if name in wildcards:
                chosen = sections[wildcards[name]]
                first, last = sample_numbers(chosen)[wildcards["shard"]]
                return chosen.task, chosen.method, last - first
        if "ablation" in wildcards:
            ablation = config.ablations[wildcards["ablation"]]
            videos = self.files.shards_of_ablation(wildcards["ablation"])[wildcards["shard"]]
            return ablation.task, ablation.method, len(videos)
        task = wildcards["task"]
        if "shard" not in wildcards:  # of validation videos, for a recalibration
            n_videos, n_samples = len(self.files.validation_videos(task)), config.calibration.samples
            return task, wildcards["method"], n_videos * n_samples
        n_videos, n_samples = len(sampling_shards(config, task)[wildcards["shard"]]), config.tasks[task].samples
        if job.rule.endswith("sample_calibration"):
            n_samples = config.calibration.samples - n_samples
        return task, wildcards["method"], n_videos * n_samples

    def _point(self, job: Job) -> Config:
        """Return the study that a job belongs to: that of its ablation's value, or the study itself."""
        if "ablation" not in job.wildcards or "point" not in job.wildcards:
            return self.config
        name, point = job.wildcards["ablation"], int(job.wildcards["point"])
        if (name, point) not in self._points:
            self._points[name, point] = varied(self.config, name, self.config.ablations[name].values[point])
        return self._points[name, point]

    def _decoding(self, config: Config, domain: str) -> float:
        video = config.video_format(domain)
        return decoding(config.priors[domain].autoencoder, video.channels, video.resolution)

    def _denoising(self, config: Config, domain: str, prior: str) -> float:
        return denoising(config.priors[domain].denoiser, config.latent_shape(domain), prior != "image")

    def _sampling(self, config: Config, task: str, method: str, n_samples: int) -> float:
        """Return the operations of samples, those that fill the batches up among them."""
        settings = config.tasks[task]
        sampler, domain = settings.sampler, settings.domain
        video, n, size = config.video_format(domain), evaluations_per_sample(sampler), sampler.videos_per_batch
        encoded = encoding(config.priors[domain].autoencoder, video.channels, video.resolution)
        decoded, in_pixel_space = self._decoding(config, domain), n.decoder_in_pixel_space
        frames = (BACKWARD * (n.decoder - in_pixel_space) + in_pixel_space) * decoded + in_pixel_space * encoded
        denoised = (n.denoiser_ode + n.denoiser_mcmc) * self._denoising(config, domain, config.methods[method].prior)
        return -(-n_samples // size) * size * (video.frames * frames + denoised)

    def _training(self, config: Config, domain: str, prior: str) -> float:
        """Return the operations of a whole training, those of encoding its examples among them."""
        video, priors = config.video_format(domain), config.priors[domain]
        n_videos, n_images = self.training_data[domain]
        chosen = priors.autoencoder_training if prior == "autoencoder" else getattr(priors, prior)
        batch, epochs = chosen.optimisation.batch_size, chosen.optimisation.epochs
        n_examples = n_images if prior in ("autoencoder", "image") else min(n_videos, video.videos)
        steps = max(1, round(epochs * max(1, n_examples // batch)))
        encoded = encoding(priors.autoencoder, video.channels, video.resolution)
        if prior == "autoencoder":
            return steps * batch * TRAINED * (encoded + self._decoding(config, domain))
        latent = config.latent_shape(domain)
        off = denoising(priors.denoiser, latent, temporal=False)
        if prior == "image":
            return steps * batch * (encoded + TRAINED * off / latent[0])
        on, p_joint = denoising(priors.denoiser, latent, temporal=True), cast(VideoTraining, chosen).p_joint
        mixed = p_joint * on + (1 - p_joint) * off
        return steps * batch * (latent[0] * encoded + TRAINED * mixed)

    def _of_videos(self, job: Job) -> Work:
        """Return the pixels of the videos that a job goes through, as often as it does where that is a setting."""
        config, wildcards = self.config, job.wildcards
        task = self._task(wildcards)
        domain = config.tasks[task].domain if task else wildcards.get("domain", _domain_of_simulation(config, job))
        if not domain:
            return Work("", 0.0, MEGAPIXEL)
        video = config.video_format(domain)
        pixels = video.frames * video.resolution**2 / 1e6
        reference = wildcards.get("reference", "")
        passes = _iterations(config, task, reference) if job.stage == "reference" else 1
        of = f"{domain} {reference}" if reference else domain
        return Work(of, self._videos(job, task, domain) * passes * pixels, MEGAPIXEL)

    def _task(self, wildcards: Mapping[str, str]) -> str:
        """Return the task that a job belongs to; '' for none."""
        config = self.config
        sections: Sequence[tuple[str, Mapping]] = (
            ("posterior", config.posteriors),
            ("observation", config.observations),
            ("ablation", config.ablations),
        )
        found = next((named[wildcards[name]].task for name, named in sections if name in wildcards), "")
        return found or wildcards.get("task", "")

    def _videos(self, job: Job, task: str, domain: str) -> int:
        """Return how many videos a job goes through, samples and raw sequences counted as videos."""
        config, wildcards = self.config, job.wildcards
        for name, sections in (("posterior", config.posteriors), ("observation", config.observations)):
            if name in wildcards:
                return sections[wildcards[name]].samples
        if "ablation" in wildcards:
            return len(self.files.videos_of_ablation(wildcards["ablation"]))
        if not task and "shard" in wildcards:  # of raw files, whose subjects have about as many sequences each
            video = config.video_format(domain)
            if not video.is_simulated:
                return video.subjects_per_job
            return len(self.simulated[domain][wildcards["shard"]])
        if "shard" in wildcards:
            return len(sampling_shards(config, task)[wildcards["shard"]])
        n_samples = config.calibration.samples if job.stage == "calibrate" else 1
        return config.video_format(domain).test_videos * n_samples


def _iterations(config: Config, task: str, reference: str) -> int:
    """Return how often a classical reconstruction goes through its video; 1 for others."""
    settings = dict(config.tasks[task].classical).get(reference)
    return getattr(settings, "iterations", 1)


def _domain_of_simulation(config: Config, job: Job) -> str:
    """Return the domain in the name of a rule that simulates raw files; '' for another."""
    name = job.rule.partition("simulate_")[2]
    return name if name in config.priors else ""
