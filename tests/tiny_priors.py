"""Complete priors of a few hundred weights, as the workflow would make them, for tests of what uses one."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from step.cli import assemble_prior
from step.config.priors import Autoencoder
from step.config.study import load_config
from step.io.half_precision import write_half_precision
from step.io.model_folders import weights_digest, write_model_folder
from step.io.prior_folders import PriorFacts, write_prior_folder

if TYPE_CHECKING:
    from step.models.unet import DenoisingUNet

SHAPE = (3, 2, 16, 16)  # of a video: (time, channel, y, x)
SCHEDULE = {"timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02}
RECORD = {
    "network": "joint",
    "parameters": 1000,
    "videos": 4,
    "images": 12,
    "steps": 1,
    "hours": 0.01,
    "device": "1 x CPU, 1 threads",
}
LOSSES = [{"step": 1, "loss": 1.0, "validation_loss": 1.0}]
CHANGES = {
    "annealing": {"levels": 2, "sigma_max": 5.0, "sigma_min": 0.05, "rho": 7.0},
    "ode": {"steps": 2, "sigma_min": 0.01, "rho": 7.0},
    "likelihood": {"noise_level": 0.1, "gradient_bound": 50.0},
    "videos_per_batch": 2,
}


def tiny_denoiser(temporal: bool) -> "DenoisingUNet":
    """Return a new network of latents with two channels."""
    from step.models.unet import DenoisingUNet

    return DenoisingUNet(
        latent_channels=2,
        block_channels=(8, 16),
        layers_per_block=1,
        norm_groups=4,
        attention_heads=2,
        context_width=4,
        condition_width=4,
        temporal=temporal,
    )


def write_tiny_prior(folder: Path, domain: str = "mri", half_precision: bool = False, **changes) -> Path:
    """Write networks and a complete prior of videos of `SHAPE`, or with `changes` of its facts; return its folder.

    With `half_precision` the prior's weights are float16, those of the networks next to it float32.
    """
    from step.models.autoencoder import build_autoencoder

    torch.manual_seed(0)
    settings = Autoencoder(
        latent_channels=2, patch_size=1, block_channels=(4, 8, 8), layers_per_block=1, norm_groups=2, attention=False
    )
    autoencoder = build_autoencoder(settings, channels=changes.get("channels", SHAPE[1]))
    denoiser = tiny_denoiser(temporal=True)
    facts = {
        "kind": "autoencoder",
        "domain": domain,
        "latent_mean": [0.1, -0.2],
        "latent_std": [1.5, 0.5],
        "patch_size": 1,
    }
    record = RECORD | {"network": "autoencoder"}
    write_model_folder(folder / "networks/autoencoder", autoencoder, facts, "# card", LOSSES, record)
    facts = {
        "kind": "denoiser",
        "domain": domain,
        "autoencoder": weights_digest(folder / "networks/autoencoder"),
        "architecture": "unet",
        "noise_schedule": SCHEDULE,
        "latent_shape": (3, 2, 4, 4),
    }
    write_model_folder(folder / "networks/joint", denoiser, facts, "# card", LOSSES, RECORD)
    networks = {name: folder / "networks" / name for name in ("autoencoder", "joint")}
    if half_precision:
        networks = write_half_precision(networks, folder / "rounded")
    facts = assemble_prior.select(load_config(), "mri").sampler
    sampler = facts | {"settings": facts["settings"] | CHANGES | {"mcmc": facts["settings"]["mcmc"] | {"steps": 2}}}
    values = {
        "domain": domain,
        "frames": SHAPE[0],
        "channels": SHAPE[1],
        "rows": SHAPE[2],
        "columns": SHAPE[3],
        "display": "magnitude",
        "geometry": {},
        "brightness": None,
        "sampler": sampler,
    }
    write_prior_folder(folder / "prior", PriorFacts(**values | changes), networks, "# A tiny prior\n")
    return folder / "prior"
