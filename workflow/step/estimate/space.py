"""How much space a study takes on disk, from the shapes of its videos and the sizes of its networks."""

from collections.abc import Mapping, Sequence

from step.config.files import StudyFiles
from step.config.study import Config
from step.estimate.graph import Job
from step.estimate.work import StudyWork

FLOAT32 = 4  # bytes
COPIES_IN_STATE = 4
"""A resumable training holds the network, its moving average, and two moments of each weight."""


def space_gb(
    config: Config, jobs: Sequence[Job], work: StudyWork, parameters: Mapping[str, Mapping[str, int]]
) -> dict[str, float]:
    """Return the gigabytes of what the `jobs` of a study write, by kind.

    `parameters` are those of the networks of each domain, as `step.description` has them. Raw and ingested data, as
    large as the archive, pictures and videos are left out.
    """
    files = StudyFiles(config)
    found = dict.fromkeys(("prepared videos", "measurements and truths", "samples", "networks", "training states"), 0.0)
    for domain in {config.tasks[task].domain for task in config.targets.all}:
        video = config.video_format(domain)
        frame = FLOAT32 * video.channels * video.resolution**2
        n_videos, n_images = work.training_data[domain]
        n_held_out = video.test_videos + video.validation_videos
        found["prepared videos"] += frame * max((n_videos + n_held_out) * video.frames, n_images)
        tasks = [task for task in config.targets.all if config.tasks[task].domain == domain]
        found["measurements and truths"] += 2 * frame * video.frames * video.test_videos * len(tasks)
        for network in ["autoencoder", *files.priors] if config.priors[domain].pretrained is None else []:
            kind = network if network == "autoencoder" else "image_denoiser" if network == "image" else "video_denoiser"
            size = FLOAT32 * parameters[domain][kind]
            kept = len(getattr(getattr(config.priors[domain], network, None), "kept_epochs", ()))
            found["networks"] += size * (1 + kept)
            found["training states"] += size * (COPIES_IN_STATE + kept)
    for job in jobs:
        if job.stage == "sample":
            task, _, n_samples = work.samples_of(job)
            video = config.video_format(config.tasks[task].domain)
            found["samples"] += FLOAT32 * n_samples * video.frames * video.channels * video.resolution**2
    return {name: size / 1e9 for name, size in found.items()}
