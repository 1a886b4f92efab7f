"""Take one network of a pretrained prior into a study, once its digest is right and it is of the study's videos."""

import argparse
import logging
from pathlib import Path
from typing import Literal

from step.cli.fetch_prior import select as select_prior
from step.config.pretrained import PretrainedSettings
from step.config.study import Config
from step.errors import InputError

log = logging.getLogger(__name__)

Prior = Literal["autoencoder", "image", "video", "joint"]


class TakenNetworkSettings(PretrainedSettings):
    """Which network, of which prior."""

    prior: Prior


Settings = TakenNetworkSettings


def select(config: Config, domain: str, prior: Prior) -> TakenNetworkSettings:
    """Return the settings of one network of a domain's pretrained prior."""
    return TakenNetworkSettings(prior=prior, **select_prior(config, domain).model_dump())


def check(settings: PretrainedSettings, folder: Path) -> None:
    """Raise `InputError` unless the prior in `folder` is of the study's videos."""
    from step.io.prior_folders import read_prior_facts

    facts = read_prior_facts(folder)
    side = settings.resolution
    found = (facts.domain, facts.display, facts.shape)
    wanted = (settings.domain, settings.display, (settings.frames, settings.channels, side, side))
    for what, there, here in zip(("domain", "display", "video (time, channel, y, x)"), found, wanted, strict=True):
        if there != here:
            raise InputError(
                f"{folder} is a prior of {what} {there}, the study has {here}; change priors.{settings.domain}"
                f".pretrained, or data.{settings.domain}"
            )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--folder", required=True, type=Path, metavar="DIR", help="folder of the prior")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder of the network")


def run(arguments: argparse.Namespace, settings: TakenNetworkSettings) -> None:
    """Write the model folder; raises `InputError` for another prior, a missing network, or a wrong digest."""
    from step.io.prior_folders import copy_network
    from step.models.architectures import check_architecture

    check(settings, arguments.folder)
    if settings.prior != "autoencoder":
        check_architecture(arguments.folder / settings.prior, settings.domain, settings.architecture)
    copy_network(arguments.folder, settings.prior, arguments.output)
    log.info("%s: the %s of %s", arguments.output, settings.prior, arguments.folder)
