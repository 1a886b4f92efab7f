"""Fetch a prior from a hub, check it, and keep it as a folder; what was fetched once needs no network again."""

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
    """Declare the file of the stage."""
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder of the prior")


def run(arguments: argparse.Namespace, settings: PretrainedSettings) -> None:
    """Write the folder; raises `InputError` where the hub cannot be reached, or has no such prior."""
    from step.io.hub import fetch_from_hub

    fetch_from_hub(settings.source, arguments.output)
    log.info("%s: fetched and checked", settings.source)
