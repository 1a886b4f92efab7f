"""Put the trained networks of a domain into one folder that is complete: to copy, to share, to load in a notebook."""

import argparse
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from step.config.plan import compared_method
from step.config.sampling import sample_settings
from step.config.sections import Count, Name, Section
from step.config.study import Config
from step.errors import InputError

log = logging.getLogger(__name__)


class AssembledPriorSettings(Section):
    """What a prior says of itself."""

    domain: Name
    frames: Count
    channels: Count
    resolution: Count
    display: Literal["magnitude", "unit_range"]
    geometry: dict[str, float]
    sampler: dict[str, Any]
    weights_precision: Literal["float32", "float16"]
    seed: int
    is_simulated: bool
    data: dict[str, Any]
    priors: dict[str, Any]
    frames_at_once: Count  # that the autoencoder sees


Settings = AssembledPriorSettings


def select(config: Config, domain: str) -> AssembledPriorSettings:
    """Return what the prior of a domain says of itself; it recommends the sampler of the domain's first task."""
    tasks = [name for name, task in config.tasks.items() if task.domain == domain]
    if not tasks:
        raise InputError(f"no task is of the domain {domain!r}, so that no sampler is known to suit it; add one")
    ordered = [name for name in config.targets.all if name in tasks] + tasks
    sampling = sample_settings(config, ordered[0], compared_method(config))
    own = sampling.sampler if sampling.own is None else sampling.own
    video, priors = config.video_format(domain), config.priors[domain]
    # How jobs are cut and where the raw files lie change no prior, and the folder may be of no concern to others.
    elsewhere = {"root", "subjects_per_job", *([] if video.is_simulated else ["simulation"])}
    return AssembledPriorSettings(
        domain=domain,
        frames=video.frames,
        channels=video.channels,
        resolution=video.resolution,
        display=video.display,
        geometry=video.geometry,
        sampler={
            "name": sampling.method.sampler,
            "task": ordered[0],
            "measurement": sampling.measurement.model_dump(mode="json", exclude={"geometry"}),
            "settings": own.model_dump(mode="json"),
        },
        weights_precision=priors.weights_precision,
        seed=config.seed,
        is_simulated=video.is_simulated,
        data=video.model_dump(mode="json", exclude=elsewhere),
        priors=priors.model_dump(mode="json", exclude={"pretrained", "weights_precision"}),
        frames_at_once=priors.autoencoder_training.optimisation.batch_size,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--index", required=True, type=Path, help="index.csv of the domain's videos")
    parser.add_argument(
        "--networks", required=True, type=Path, nargs="+", metavar="DIR", help="model folders, named after the network"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder of the prior")


def run(arguments: argparse.Namespace, settings: AssembledPriorSettings) -> None:
    """Write the folder; raises `InputError` for weights that its number format cannot hold."""
    from step.io.half_precision import write_half_precision
    from step.io.prior_cards import TrainingFacts, prior_card
    from step.io.prior_folders import AUTOENCODER, PriorFacts, write_prior_folder
    from step.io.videos import read_index

    facts = PriorFacts(
        domain=settings.domain,
        frames=settings.frames,
        channels=settings.channels,
        rows=settings.resolution,
        columns=settings.resolution,
        display=settings.display,
        geometry=settings.geometry,
        brightness=_brightness(arguments.index) if settings.display == "unit_range" else None,
        sampler=settings.sampler,
    )
    networks = {folder.name: folder for folder in arguments.networks}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=arguments.output.parent, prefix=".rounded-") as rounded:
        if settings.weights_precision == "float16":
            networks = write_half_precision(networks, Path(rounded))
        training = TrainingFacts(
            seed=settings.seed,
            is_simulated=settings.is_simulated,
            data=settings.data,
            priors=settings.priors,
            records=read_index(arguments.index),
            weights_precision=settings.weights_precision,
            psnr_db=_autoencoder_psnr(arguments.index, networks[AUTOENCODER], settings),
        )
        write_prior_folder(arguments.output, facts, networks, prior_card(facts, networks, training))
    log.info("wrote %s: %s, %s", arguments.output, ", ".join(networks), settings.weights_precision)


def _brightness(index: Path) -> dict[str, float]:
    """Return how bright the training videos are."""
    from step.io.videos import VideoStore
    from step.physics.display import brightness_of

    training = VideoStore(index).select("train", "video")
    found = brightness_of(training.video(number) for number in range(len(training)))
    return {"mean": float(found.mean), "std": float(found.std)}


def _autoencoder_psnr(index: Path, folder: Path, settings: AssembledPriorSettings) -> list[float]:
    """Return the PSNR, in dB, of each validation video that the autoencoder in `folder` encodes and decodes."""
    import numpy as np
    import torch

    from step.frames import by_frames
    from step.io.videos import VideoStore
    from step.metrics.psnr import psnr
    from step.models.prior import load_autoencoder
    from step.physics.display import to_unit_range

    autoencoder, store = load_autoencoder(folder, settings.domain), VideoStore(index).select("validation")
    found = []
    for number, record in enumerate(store.records):
        if record.use == "unused":
            continue
        truth = np.array(store.video(number))
        with torch.no_grad():
            [restored] = by_frames(
                lambda frames: autoencoder.decode(autoencoder.encode(frames)),
                torch.from_numpy(truth)[None],
                settings.frames_at_once,
            )
        frames, true_frames = (to_unit_range(video, truth, settings.display) for video in (restored.numpy(), truth))
        found.append(psnr(frames, true_frames))
    return found
