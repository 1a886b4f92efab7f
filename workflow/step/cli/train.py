"""Train one network of a domain's prior: the autoencoder, or the image, video or joint denoiser."""

import argparse
import hashlib
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from step.config.priors import Autoencoder, AutoencoderTraining, ChosenDenoiser, NoiseSchedule, VideoTraining
from step.config.priors import DenoiserTraining as ImageTraining
from step.config.sections import Count, Name, Section
from step.config.settings import dump_settings
from step.config.study import Config
from step.errors import InputError
from step.plugins import architecture_name

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator
    from diffusers.models.modeling_utils import ModelMixin

    from step.io.videos import VideoStore
    from step.training.batches import ImageSet
    from step.training.state import History

    Fitted = tuple[ModelMixin, dict[str, ModelMixin], dict[str, object], History]
    """A network, what it was after some epochs, what its folder says of it, and the losses."""

log = logging.getLogger(__name__)

Prior = Literal["autoencoder", "image", "video", "joint"]
VALIDATION_VIDEOS = 16
"""At most this many held-out videos for the validation loss."""


class TrainSettings(Section):
    """What decides the trained weights."""

    seed: int
    domain: Name
    prior: Prior
    frames: Count
    images: Count
    display: Literal["magnitude", "unit_range"]
    autoencoder: Autoencoder
    standardise_latents: bool
    frames_at_once: Count  # that the trained autoencoder encodes: as many as it was trained on at once
    noise_schedule: NoiseSchedule | None
    denoiser: ChosenDenoiser | None
    training: AutoencoderTraining | VideoTraining | ImageTraining

    @property
    def training_seed(self) -> int:
        """What weights, order and noise derive from; `seed`, the study's own, says which images are trained on."""
        return getattr(self.training, "seed", self.seed)


Settings = TrainSettings


def select(config: Config, domain: str, prior: Prior) -> TrainSettings:
    """Return the settings of one training run."""
    priors, video = config.priors[domain], config.video_format(domain)
    is_autoencoder = prior == "autoencoder"
    training = priors.autoencoder_training if is_autoencoder else getattr(priors, prior)
    if isinstance(training, VideoTraining) and training.seed is None:
        training = training.model_copy(update={"seed": config.seed})
    return TrainSettings(
        seed=config.seed,
        domain=domain,
        prior=prior,
        frames=video.frames,
        images=video.images,
        display=video.display,
        autoencoder=priors.autoencoder,
        standardise_latents=priors.standardise_latents,
        frames_at_once=priors.autoencoder_training.optimisation.batch_size,
        noise_schedule=None if is_autoencoder else priors.noise_schedule,
        denoiser=None if is_autoencoder else priors.chosen_denoiser,
        training=training,
    )


def modules(settings: TrainSettings) -> list[str]:
    """Return the modules that are imported by name."""
    return [architecture_name(settings.denoiser.architecture)] if settings.denoiser else []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's files to `parser`."""
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the domain's videos")
    parser.add_argument("--autoencoder", type=Path, help="folder of the trained autoencoder (denoisers only)")
    parser.add_argument("--initial", type=Path, help="folder of the image prior to start from (joint prior only)")
    parser.add_argument("--state", type=Path, required=True, help="folder of the resumable states, one per run")
    parser.add_argument("--output", type=Path, required=True, help="folder of the trained model")
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="train on N GPUs of this machine, which share each batch; the result is that of one (default: 1)",
    )


def run(arguments: argparse.Namespace, settings: TrainSettings) -> None:
    """Train, or go on training, and write the model folder."""
    _check_models(arguments, settings.prior)
    if arguments.processes > 1 and "LOCAL_RANK" not in os.environ:
        _become_launcher(arguments.processes, settings.training.optimisation.batch_size)
    from accelerate import Accelerator

    from step.io.model_folders import write_model_folder
    from step.io.videos import VideoStore
    from step.training.batches import ImageSet
    from step.training.state import remove_older_states

    store = VideoStore(arguments.index)
    training = VideoStore(arguments.index, [r for r in store.records if r.split == "train" and r.use != "unused"])
    if not len(training):
        raise InputError(f"{arguments.index} has no training videos; lower data.{settings.domain}.split's counts")
    accelerator = _accelerator(Accelerator, settings)
    if not accelerator.is_main_process:
        logging.getLogger("step").setLevel(logging.WARNING)  # all of them do the same
    images = ImageSet(training, settings.frames, settings.images, settings.seed)
    n_videos = sum(record.use == "video" for record in training.records)
    validation = _validation_videos(store, training)
    state_file = arguments.state / settings.prior / f"{_run_key(arguments, settings, training)}.safetensors"
    log.info(
        "%s prior of %s: %d training images, on %s",
        settings.prior,
        settings.domain,
        len(images),
        accelerator.device,
    )
    fit = _fit_autoencoder if settings.prior == "autoencoder" else _fit_denoiser
    network, kept, facts, history = fit(arguments, settings, training, images, validation, state_file, accelerator)
    accelerator.wait_for_everyone()  # all have read what the state keeps
    if accelerator.is_main_process:
        facts |= {"domain": settings.domain, "prior": settings.prior}
        card = _model_card(settings, network, len(training), len(images), history.rows)
        record = _training_record(settings, network, n_videos, len(images), history, accelerator)
        write_model_folder(arguments.output, network, facts, card, history.rows, record, kept)
        remove_older_states(state_file)
        log.info("wrote %s", arguments.output)


def _become_launcher(processes: int, batch_size: int) -> None:
    """Give this process to torchrun, which runs the same command in each of `processes`; does not return."""
    import torch

    available = torch.cuda.device_count()
    if available and processes > available:
        raise InputError(f"--processes asks for {processes} GPUs, {available} are here; lower it, or ask for more")
    if batch_size % processes:
        raise InputError(f"{processes} processes cannot share a batch of {batch_size}; change one of them")
    os.environ["OMP_NUM_THREADS"] = str(max(1, torch.get_num_threads() // processes))  # each has its share of the cores
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    os.execv(sys.executable, [*launcher, "-m", "step", *sys.argv[1:]])


def _check_models(arguments: argparse.Namespace, prior: str) -> None:
    """Raise `InputError` unless the models are given that a network is trained on, and from."""
    needed: tuple[str, ...] = {"autoencoder": (), "joint": ("autoencoder", "initial")}.get(prior, ("autoencoder",))
    missing = [f"--{name}" for name in needed if getattr(arguments, name) is None]
    if missing:
        raise InputError(f"the {prior} prior needs trained models; give their folders with {' and '.join(missing)}")


def _run_key(arguments: argparse.Namespace, settings: TrainSettings, training: "VideoStore") -> str:
    """Return a name for this run: another one as soon as settings, the files they name, code, videos or weights differ.

    A state is resumed under its own key alone, so that no run ever goes on from what another one learned.
    """
    from step.io.model_folders import file_digest, weights_digest
    from step.models.architectures import files_of_denoiser
    from step.provenance import code_digest

    folder = arguments.index.parent
    files = [folder / name for name in sorted({record.file for record in training.records})]
    named = files_of_denoiser(settings.denoiser) if settings.denoiser else []
    parts = [
        dump_settings(settings),
        *map(file_digest, named),
        code_digest("step.cli.train", *modules(settings)),
        arguments.index.read_text(),
        *(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files),
        *(weights_digest(model) for model in (arguments.autoencoder, arguments.initial) if model),
    ]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def _accelerator(accelerator_class: "type[Accelerator]", settings: TrainSettings) -> "Accelerator":
    import torch
    from accelerate.utils import DistributedDataParallelKwargs

    precision = settings.training.optimisation.precision
    if not torch.cuda.is_available() and precision != "no":
        log.info("no GPU here: training in float32 instead of %s", precision)
        precision = "no"
    # A step on pseudo-videos leaves the temporal modules out.
    partly = isinstance(settings.training, VideoTraining) and settings.training.p_joint < 1
    unused = DistributedDataParallelKwargs(find_unused_parameters=partly)
    # Processes without GPUs find each other only where they are told to use the processor.
    on_processors = "LOCAL_RANK" in os.environ and not torch.cuda.is_available()
    return accelerator_class(mixed_precision=precision, kwargs_handlers=[unused], cpu=on_processors)


def _validation_videos(store: "VideoStore", training: "VideoStore") -> "torch.Tensor":
    """Return held-out videos (video, time, channel, y, x), or training ones where none are held out."""
    import numpy as np
    import torch

    source = store.select("validation")
    if not any(record.kind == "video" for record in source.records):
        log.info("no validation videos: the validation loss is of training videos")
        source = training
    numbers = [n for n, record in enumerate(source.records) if record.kind == "video"]
    step = max(1, len(numbers) // VALIDATION_VIDEOS)
    return torch.from_numpy(np.stack([source.video(n) for n in numbers[::step][:VALIDATION_VIDEOS]]))


def _fit_autoencoder(
    arguments: argparse.Namespace,
    settings: TrainSettings,
    training: "VideoStore",
    images: "ImageSet",
    validation: "torch.Tensor",
    state_file: Path,
    accelerator: "Accelerator",
) -> "Fitted":
    from step.physics.display import DARK
    from step.training.autoencoder import train_autoencoder

    autoencoder, history = train_autoencoder(
        images,
        validation[:, 0],
        settings.autoencoder,
        cast(AutoencoderTraining, settings.training),
        settings.standardise_latents,
        DARK[settings.display],
        settings.training_seed,
        state_file,
        accelerator,
    )
    facts: dict[str, object] = {
        "kind": "autoencoder",
        "latent_mean": autoencoder.mean.flatten().tolist(),
        "latent_std": autoencoder.std.flatten().tolist(),
        "patch_size": autoencoder.patch_size,
    }
    return autoencoder.network, {}, facts, history


def _fit_denoiser(
    arguments: argparse.Namespace,
    settings: TrainSettings,
    training: "VideoStore",
    images: "ImageSet",
    validation: "torch.Tensor",
    state_file: Path,
    accelerator: "Accelerator",
) -> "Fitted":
    import torch

    from step.diffusion.schedule import LinearBetaSchedule
    from step.io.model_folders import weights_digest
    from step.io.videos import VideoStore
    from step.models.architectures import build_denoiser, load_denoiser, open_architecture
    from step.models.prior import load_autoencoder
    from step.physics.display import DARK
    from step.seeds import derive_seed
    from step.training.batches import VideoSet
    from step.training.denoiser import LatentBatches, train_image_denoiser, train_video_denoiser

    # The settings of a denoiser have them.
    chosen, schedule = cast(ChosenDenoiser, settings.denoiser), cast(NoiseSchedule, settings.noise_schedule)
    autoencoder = load_autoencoder(arguments.autoencoder, settings.domain)
    latents = LatentBatches(
        autoencoder,
        LinearBetaSchedule(**schedule.model_dump()),
        DARK[settings.display],
        settings.frames_at_once,
        settings.training_seed,
        accelerator,
    )
    torch.manual_seed(derive_seed(settings.training_seed, settings.prior, "weights"))
    if settings.prior == "joint":
        inflate = open_architecture(chosen.architecture).inflate
        network = inflate(load_denoiser(arguments.initial, settings.domain, chosen.architecture))
    else:
        latent_channels, temporal = settings.autoencoder.latent_channels, settings.prior == "video"
        network = build_denoiser(chosen, latent_channels, temporal)
    kept: dict[str, ModelMixin] = {}
    if settings.prior == "image":
        network, history = train_image_denoiser(
            network, images, validation, latents, cast(ImageTraining, settings.training), state_file, accelerator
        )
    else:
        optimised = cast(VideoTraining, settings.training)
        videos = VideoSet(VideoStore(arguments.index, [r for r in training.records if r.use == "video"]))
        network, kept, history = train_video_denoiser(
            network,
            videos,
            images,
            optimised.p_joint,
            validation,
            latents,
            optimised,
            state_file,
            accelerator,
        )
    side = validation.shape[-1] // settings.autoencoder.downsampling
    facts: dict[str, object] = {
        "kind": "denoiser",
        "architecture": chosen.architecture,
        "autoencoder": weights_digest(arguments.autoencoder),
        "noise_schedule": schedule.model_dump(),
        "latent_shape": [settings.frames, settings.autoencoder.latent_channels, side, side],
    }
    return network, kept, facts, history


def _training_record(
    settings: TrainSettings,
    network: "torch.nn.Module",
    n_videos: int,
    n_images: int,
    history: "History",
    accelerator: "Accelerator",
) -> dict[str, object]:
    """Return what the training came to (Table 3): one row, with the hours of all runs that led to the model.

    Samples are images, or videos (pseudo-videos too); `waiting_share` is the share of the hours in which a step waited
    for its batch.
    """
    import torch

    device = torch.cuda.get_device_name() if accelerator.device.type == "cuda" else "CPU"
    steps = history.rows[-1]["step"]
    return {
        "network": settings.prior,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "videos": n_videos,
        "images": n_images,
        "steps": steps,
        "hours": history.seconds / 3600,
        "samples_per_second": steps * settings.training.optimisation.batch_size / history.seconds,
        "waiting_share": history.waited / history.seconds,
        "device": f"{accelerator.num_processes} x {device}, {torch.get_num_threads()} threads",
    }


def _model_card(
    settings: TrainSettings, network: "torch.nn.Module", n_videos: int, n_images: int, losses: list[dict[str, float]]
) -> str:
    """Return the model card: what the model is, what it was trained on and how it came out."""
    last = losses[-1]
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return f"""---
library_name: diffusers
license: gpl-3.0
---

# {settings.prior} prior of the domain {settings.domain}

{type(network).__name__} with {parameters:,} parameters, trained by the STeP workflow as part of a latent diffusion
prior for video reconstruction. It knows the kind of videos it was trained on and nothing else: what it adds to a
measurement is not a finding.

| | |
|---|---|
| training sequences | {n_videos} |
| training images | {n_images} |
| steps | {last["step"]} |
| last training loss | {last["loss"]:.6g} |
| last validation loss | {last["validation_loss"]:.6g} |

The history of the losses is in `losses.csv`. Settings:

```json
{dump_settings(settings)}
```
"""
