"""Fetch a prior, from a hub or a folder, check it and keep it as a folder; a hub is asked once."""

import argparse
import logging
from pathlib import Path

from step.config.pretrained import PretrainedSettings, pretrained_settings
from step.config.study import Config
from step.errors import InputError

log = logging.getLogger(__name__)

Settings = PretrainedSettings


def select(config: Config, domain: str) -> PretrainedSettings:
    """Return which prior of a domain is fetched; raises `InputError` where it is trained here."""
    settings = pretrained_settings(config, domain)
    if settings is None:
        raise InputError(f"priors.{domain}.pretrained is null, so there is nothing to fetch; name a prior there")
    return settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the prior lies, if it is here already")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder of the prior")


def run(arguments: argparse.Namespace, settings: PretrainedSettings) -> None:
    """Write the folder; raises `InputError` where it is damaged, the hub cannot be reached, or has no such prior."""
    from step.io.hub import fetch_from_hub
    from step.io.prior_folders import copy_prior, verify_prior

    if arguments.folder is None:
        fetch_from_hub(settings.source, arguments.output)
    else:
        verify_prior(arguments.folder)
        copy_prior(arguments.folder, arguments.output)
    log.info("%s: fetched and checked", settings.source)
