"""From the `architecture` of a domain's priors to the network that predicts the noise.

An architecture is a module (`step.contracts.DenoiserArchitecture`): `step.models.unet`, or one of your own by its
dotted name. A trained network says in its folder which one it is of.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.priors import OURS, ChosenDenoiser
from step.config.sections import Section, paths_in
from step.config.study import check_section
from step.errors import InputError
from step.io.model_folders import load_network, read_facts
from step.plugins import architecture_name

if TYPE_CHECKING:
    from diffusers.models.modeling_utils import ModelMixin

    from step.contracts import DenoiserArchitecture

PARTS = ("Settings", "Network", "build", "inflate")


def open_architecture(name: str) -> "DenoiserArchitecture":
    """Return the architecture `name`; raises `InputError` where there is no such module, or it lacks a part."""
    module = import_module(architecture_name(name))
    missing = [part for part in PARTS if not hasattr(module, part)]
    if missing:
        raise InputError(
            f"{module.__name__} has no {missing[0]}, so that it is no architecture of a denoiser; see "
            "step.contracts.DenoiserArchitecture"
        )
    return module


def settings_of_denoiser(chosen: ChosenDenoiser) -> Section:
    """Return the settings of a denoiser, checked; raises `InputError` for some that its architecture does not take."""
    where = f"settings of the architecture {chosen.architecture}"
    return check_section(open_architecture(chosen.architecture).Settings, chosen.values, where)


def files_of_denoiser(chosen: ChosenDenoiser) -> list[Path]:
    """Return the files that the settings of a denoiser name, on which its trainings depend."""
    if chosen.architecture == OURS:
        return []  # whose settings name none; planning asks, and need not import its network for it
    return paths_in(settings_of_denoiser(chosen))


def build_denoiser(chosen: ChosenDenoiser, latent_channels: int, temporal: bool) -> "ModelMixin":
    """Return an untrained network of latents of `latent_channels`; `temporal` is whether it is one of videos.

    Raises `InputError` for settings that its architecture does not take.
    """
    return open_architecture(chosen.architecture).build(settings_of_denoiser(chosen), latent_channels, temporal)


def load_denoiser(folder: Path, domain: str, architecture: str) -> "ModelMixin":
    """Return the trained network in a model folder.

    Raises `InputError` unless it is a denoiser of `domain` and of `architecture`: what a folder names itself is not
    imported, since a folder from elsewhere must not decide which code runs.
    """
    check_architecture(folder, domain, architecture)
    return load_network(folder, open_architecture(architecture).Network)


def check_architecture(folder: Path, domain: str, architecture: str) -> None:
    """Raise `InputError` unless a model folder holds a denoiser of `domain` and of `architecture`."""
    there = read_facts(folder, "denoiser", domain)["architecture"]
    if there != architecture:
        raise InputError(
            f"{folder} is of the architecture {there!r}, not {architecture!r}; change priors.{domain}.architecture, or "
            "say it to load_prior"
        )
