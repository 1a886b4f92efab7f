"""What a study will compute: shapes, training data, network sizes, evaluations per sample, jobs.

Of data it reads the index alone, if the split has written it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from step.config.plan import held_out_videos, sampling_shards
from step.config.study import Config
from step.sampling.levels import evaluations_per_sample

if TYPE_CHECKING:
    from step.io.videos import VideoRecord


def describe(config: Config) -> dict:
    """Return shapes, parameter counts (integers) and costs of every domain and task of the study."""
    return {
        "results": str(config.results),
        "domains": {domain: _describe_domain(config, domain) for domain in config.priors},
        "tasks": {task: _describe_task(config, task) for task in config.tasks},
    }


def as_text(description: dict) -> str:
    """Return the description as indented lines; parameters also in M = 2^20, as the paper counts them."""
    lines = []
    for heading in ("domains", "tasks"):
        for name, values in description[heading].items():
            lines.append(f"{heading.removesuffix('s')} {name}")
            lines.extend(f"  {key}: {_text(key, value)}" for key, value in values.items())
    return "\n".join(lines)


def _describe_domain(config: Config, domain: str) -> dict:
    import torch

    from step.models.architectures import build_denoiser
    from step.models.autoencoder import build_autoencoder

    video, priors = config.video_format(domain), config.priors[domain]
    networks: dict[str, torch.nn.Module] = {}
    with torch.device("meta"):  # shapes without memory
        networks["autoencoder"] = build_autoencoder(priors.autoencoder, video.channels)
        for name, temporal in (("image_denoiser", False), ("video_denoiser", True)):
            networks[name] = build_denoiser(priors.chosen_denoiser, priors.autoencoder.latent_channels, temporal)
    parameters = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
    return {
        "video_shape": [video.frames, video.channels, video.resolution, video.resolution],
        "latent_shape": list(config.latent_shape(domain)),
        "parameters": parameters,
        "training_data": _describe_training_data(config, domain),
    }


def _describe_training_data(config: Config, domain: str) -> dict:
    """Return how many videos and images are allowed, how many there are to train on, and how many are used.

    The latter are None as long as the videos are not split.
    """
    from step.io.videos import read_index

    video, index = config.video_format(domain), config.results / domain / "index.csv"
    counts = dict.fromkeys(("usable_videos", "usable_images", "used_videos", "used_images"))
    if index.is_file():
        training = [record for record in read_index(index) if record.split == "train"]
        used = [record for record in training if record.use != "unused"]
        counts = {
            "usable_videos": sum(record.kind == "video" for record in training),
            "usable_images": _count_images(training, video.frames),
            "used_videos": sum(record.use == "video" for record in training),
            "used_images": min(video.images, _count_images(used, video.frames)),
        }
    return {
        "videos_at_most": video.videos,
        "images_at_most": video.images,
        "held_out_units": video.split.n_held_out,
        **counts,
    }


def _count_images(records: Sequence["VideoRecord"], frames: int) -> int:
    return sum(frames if record.kind == "video" else 1 for record in records)


def _describe_task(config: Config, task: str) -> dict:
    settings = config.tasks[task]
    evaluations = evaluations_per_sample(settings.sampler)
    n_shards = len(sampling_shards(config, task))
    n_methods, n_references = len(config.methods), len(settings.references)
    return {
        "domain": settings.domain,
        "measurement": settings.measurement.model_dump(mode="json"),
        "test_videos": len(held_out_videos(config, settings.domain)),
        "samples_per_video": settings.samples,
        "evaluations_per_sample": {
            "decoder": evaluations.decoder,
            "denoiser_ode": evaluations.denoiser_ode,
            "denoiser_mcmc": evaluations.denoiser_mcmc,
        },
        "jobs": {
            "measure": 1,
            "optical_flow": n_shards * any(method.uses_optical_flow for method in config.methods.values()),
            "sample": n_shards * n_methods,
            "reference": n_references,
            "evaluate": n_methods + n_references,
            "extract_features": 1,  # the truth
            "tabulate": 1,
        },
    }


def _text(key: str, value: Any) -> str:
    if key == "parameters":
        return ", ".join(f"{name} {n:,} ({n / 2**20:.1f} M of 2^20)" for name, n in value.items())
    if key == "training_data":
        return _training_data_text(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return " x ".join(map(str, value)) if isinstance(value, list) else str(value)


def _training_data_text(counts: dict) -> str:
    bounds = f"at most {counts['videos_at_most']:,} videos and {counts['images_at_most']:,} images"
    text = f"{bounds}, which are upper bounds: {counts['held_out_units']} units are held out, not trained on"
    if counts["usable_videos"] is None:
        return f"{text}; how many there are is known once the videos are split"
    found = "{:,} videos and {:,} images".format
    usable, used = (found(counts[f"{word}_videos"], counts[f"{word}_images"]) for word in ("usable", "used"))
    return f"{text}; there are {usable} to train on, {used} are used"
