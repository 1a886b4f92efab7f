"""Where the files of a study lie, and which of them belong together. Known before there is any data.

The rules name outputs by wildcards, ``<results>/{task}/measurements``; here are the lists that stand for several of
them. None is read, and none need be there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from step.config.observations import Observation
from step.config.plan import held_out_videos, sample_ranges, sampling_shards, shards
from step.config.posteriors import Posterior
from step.config.study import Config
from step.config.tasks import OF_TRUTH


@dataclass(frozen=True)
class StudyFiles:
    """The files of the study that `config` describes, below its folder of results."""

    config: Config

    @property
    def results(self) -> Path:
        """The folder of all results."""
        return self.config.results

    @property
    def references(self) -> list[str]:
        """The rows of any task's table that are no method, in the order in which tasks name them."""
        return list(dict.fromkeys(name for task in self.config.tasks.values() for name in task.references))

    @property
    def priors(self) -> list[str]:
        """The priors that methods use, in the order of the methods."""
        return list(dict.fromkeys(method.prior for method in self.config.methods.values()))

    @property
    def video_methods(self) -> list[str]:
        """The methods whose prior is of videos."""
        return [name for name, method in self.config.methods.items() if method.prior != "image"]

    def domain_of(self, task: str) -> str:
        """Return the domain of a task."""
        return self.config.tasks[task].domain

    # Of raw data.
    def is_simulated(self, domain: str) -> bool:
        """Return whether the raw files of a domain are simulated."""
        return self.config.video_format(domain).is_simulated

    def simulated_shards(self) -> dict[str, dict[str, list[str]]]:
        """Return the subjects of each job that simulates raw files, by domain and name of the job."""
        formats = {domain: self.config.video_format(domain) for domain in self.config.priors}
        return {
            domain: shards(video.simulated_subjects, video.subjects_per_job)
            for domain, video in formats.items()
            if self.is_simulated(domain)
        }

    def raw_root(self, domain: str, shard: str) -> Path:
        """Return the folder in which an ingestion job looks for its subjects; a simulation has one for each job."""
        root = self.config.video_format(domain).root
        return root / shard if self.is_simulated(domain) else root

    # Of the rows of a task's table.
    def rows(self, task: str) -> list[str]:
        """Return the rows of a task's table."""
        return [*self.config.methods, *self.config.tasks[task].references]

    def tour_rows(self, task: str) -> list[str]:
        """Return the rows of a task's table in the tour."""
        return [*self.config.targets.tour.methods, *self.config.tasks[task].references]

    def movie_rows(self, task: str, name: str) -> list[str]:
        """Return what a movie shows: one row of the table, or all that use the measurement."""
        return that_measure(self.rows(task)) if name == "comparison" else [name]

    def animation_rows(self, task: str) -> list[str]:
        """Return what the first animation shows: what was measured, other reconstructions, the tour's methods."""
        references = that_measure(self.config.tasks[task].references)
        return [*references, *self.config.targets.tour.methods]

    def references_arguments(self, task: str) -> list[str]:
        """Return ``--references NAME...``: which of a task's rows are references."""
        return ["--references", *self.config.tasks[task].references]

    # Of held-out videos.
    def tests(self, task: str) -> list[str]:
        """Return the names of a task's test videos."""
        return held_out_videos(self.config, self.domain_of(task))

    def validation_videos(self, task: str) -> list[str]:
        """Return the names of the validation videos that a task is tuned on."""
        there_are = self.config.video_format(self.domain_of(task)).validation_videos
        return [f"validation{number:03d}" for number in range(min(self.config.tuning.videos, there_are))]

    def shard_of(self, task: str, video: str) -> str:
        """Return the sampling job that a test video is in."""
        return next(shard for shard, videos in sampling_shards(self.config, task).items() if video in videos)

    def place_of_shard(self, task: str, shard: str) -> int:
        """Return the place of a sampling job's first video among the test videos."""
        return list(sampling_shards(self.config, task)).index(shard) * self.config.tasks[task].videos_per_job

    def measurement_files(self, task: str, videos: Iterable[str]) -> list[Path]:
        """Return the files of some videos' measurements."""
        return [self.results / task / "measurements" / f"{video}.h5" for video in videos]

    def truth_files(self, task: str, videos: Iterable[str]) -> list[Path]:
        """Return the files of some true videos, which no reconstruction is given."""
        return [self.results / task / "truths" / f"{video}.h5" for video in videos]

    def files_made_of(self, task: str, what: str, videos: Iterable[str]) -> list[str | Path]:
        """Return ``--truths FILE...`` or ``--measurements FILE...`` of some videos, as `made_of` says."""
        files = self.truth_files if made_of(what) == "truths" else self.measurement_files
        return [f"--{made_of(what)}", *files(task, videos)]

    # Of networks.
    def prior_folder(self, task: str, method: str) -> Path:
        """Return the model folder of a method's prior."""
        return self.results / self.domain_of(task) / "priors" / self.config.methods[method].prior

    def given_weights(self, network: str) -> list[Path]:
        """Return the file of a learned network that the configuration gives, if it gives one."""
        source = getattr(self.config.weights, network)
        return [source] if isinstance(source, Path) else []

    def optical_flow_of_method(self, task: str, method: str, shard: str) -> list[Path]:
        """Return the optical flow of a shard of a task's videos, if a method moves its noise with it."""
        needed = self.config.methods[method].uses_optical_flow
        return [self.results / task / f"optical_flow/{shard}.h5"] if needed else []

    def weights_of_optical_flow(self, task: str) -> list[Path]:
        """Return the weights that the optical flow of a task is estimated with, if its estimator has any."""
        optical_flow = self.config.tasks[task].optical_flow
        needed = optical_flow is not None and optical_flow.estimator == "raft"
        return [self.results / "weights/raft.safetensors"] if needed else []

    # Of reconstructions.
    def reconstruction_files(self, task: str, row: str) -> list[Path]:
        """Return the files of a method's or a reference's reconstructions."""
        if row in self.references:
            return [self.results / task / "references" / f"{row}.h5"]
        return [self.results / task / "samples" / row / f"{shard}.h5" for shard in sampling_shards(self.config, task)]

    def files_of_rows(self, task: str, rows: Iterable[str]) -> list[Path]:
        """Return the files of the reconstructions of some rows of the table."""
        return [file for row in rows for file in self.reconstruction_files(task, row)]

    def method_arguments(self, task: str, rows: Iterable[str]) -> list[str]:
        """Return ``--method NAME FILE...`` of some rows of the table."""
        return words("--method", [(row, *self.reconstruction_files(task, row)) for row in rows])

    def calibration_files(self, task: str, method: str) -> list[Path]:
        """Return the files of a method's samples of each test video: the one of the tables, and those next to it."""
        folder = self.results / task / "calibration" / method
        more = [folder / f"{shard}.h5" for shard in sampling_shards(self.config, task)]
        return self.reconstruction_files(task, method) + more

    def metrics_files(self, task: str, rows: Iterable[str]) -> list[Path]:
        """Return the metrics per video of some rows of the table."""
        return [self.results / task / "metrics" / f"{row}.csv" for row in rows]

    def feature_files(self, task: str, rows: Iterable[str]) -> list[Path]:
        """Return the video features of some rows of the table."""
        return [self.results / task / "features" / f"{row}.h5" for row in rows]

    # Of many samples of one measurement.
    def observed_samples(self, observation: str) -> list[Path]:
        """Return the files of the samples of an observation."""
        return sample_files(self.results / "observations" / observation, self.config.observations[observation])

    def posterior_samples(self, posterior: str) -> list[Path]:
        """Return the files of the samples of a posterior."""
        return sample_files(self.results / "posteriors" / posterior, self.config.posteriors[posterior])

    def measurement_of_posterior(self, posterior: str) -> list[Path]:
        """Return the file of the measurement that a posterior is of."""
        chosen = self.config.posteriors[posterior]
        return self.measurement_files(chosen.task, [chosen.video])

    def truth_of_posterior(self, posterior: str) -> list[str | Path]:
        """Return ``--truth FILE`` of the video that a posterior is of."""
        chosen = self.config.posteriors[posterior]
        return ["--truth", *self.truth_files(chosen.task, [chosen.video])]

    # Of an ablation.
    def videos_of_ablation(self, ablation: str) -> list[str]:
        """Return the names of the test videos of an ablation."""
        chosen = self.config.ablations[ablation]
        return self.tests(chosen.task)[: chosen.videos]

    def shards_of_ablation(self, ablation: str) -> dict[str, list[str]]:
        """Return the test videos of each sampling job of a point of an ablation."""
        per_job = self.config.tasks[self.config.ablations[ablation].task].videos_per_job
        return shards(self.videos_of_ablation(ablation), per_job)

    # Of what things cost.
    def benchmark_files(self) -> list[Path]:
        """Return what was measured of the sampler's cost, by size and task."""
        chosen = self.config.benchmark
        return [self.results / "benchmark" / f"{size}-{task}.csv" for size in chosen.sizes for task in chosen.tasks]

    def cost_files(self) -> list[tuple[str, str, list[Path]]]:
        """Return task, method and files of what sampling took, of the tasks of the whole study."""
        return [
            (
                task,
                method,
                [file.with_name(f"{file.stem}-cost.csv") for file in self.reconstruction_files(task, method)],
            )
            for task in self.config.targets.all
            for method in self.config.methods
        ]

    def network_folders(self) -> list[tuple[str, str, Path]]:
        """Return domain, name and folder of the networks of the whole study."""
        return [
            (domain, network, self.results / domain / "priors" / network)
            for domain in dict.fromkeys(map(self.domain_of, self.config.targets.all))
            for network in ["autoencoder", *self.priors]
        ]


def made_of(what: str) -> str:
    """Return which folder something is made of: the truths, or the measurements alone."""
    return "truths" if what in ("truth", *OF_TRUTH) else "measurements"


def that_measure(rows: Iterable[str]) -> list[str]:
    """Return those of some rows of the table that use the measurement."""
    return [row for row in rows if made_of(row) == "measurements"]


def sample_numbers(chosen: Observation | Posterior) -> dict[str, tuple[int, int]]:
    """Return the sample numbers of each job of an observation or a posterior: the first, and one beyond the last."""
    return sample_ranges(range(chosen.samples), chosen.samples_per_job)


def sample_files(folder: Path, chosen: Observation | Posterior) -> list[Path]:
    """Return the files of the samples of an observation or a posterior, whose results are in `folder`."""
    return [folder / f"samples/{shard}.h5" for shard in sample_numbers(chosen)]


def words(option: str, groups: Iterable[Sequence[object]]) -> list[str]:
    """Return `option` followed by the words of a group, for each of `groups`."""
    return [word for group in groups for word in (option, *map(str, group))]
